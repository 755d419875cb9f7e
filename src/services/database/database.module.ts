import { Global, Module } from '@nestjs/common';
import { TypeOrmModule } from '@nestjs/typeorm';
import { sessionName } from '../../entities/session-name.js';
import { SETTINGS, type Settings } from '../config/settings.js';
import { WORKER_NAME } from '../queue/worker-name.js';
import { dataSourceOptions } from './data-source.js';
import { DatabaseService } from './database.service.js';

/** The only pool of the process. `TypeOrmModule` ends it, after everybody who uses it has stopped. */
@Global()
@Module({
  imports: [
    TypeOrmModule.forRootAsync({
      inject: [SETTINGS],
      useFactory: (settings: Settings) => ({
        // The session that holds a lock then says which process it is.
        ...dataSourceOptions(settings, sessionName(WORKER_NAME)),
        // `prepareDatabase` has waited for the server before, and reports why it cannot be used.
        toRetry: () => false,
      }),
    }),
  ],
  providers: [DatabaseService],
  exports: [DatabaseService],
})
export class DatabaseModule {}
