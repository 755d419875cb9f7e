import { Global, Module } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { SETTINGS, type Settings } from '../config/settings.js';
import { createDataSource, migrate } from './data-source.js';
import { DatabaseService } from './database.service.js';

/** The one pool of the process. Migrations run at boot where the settings say so. */
@Global()
@Module({
  providers: [
    {
      provide: DataSource,
      inject: [SETTINGS],
      useFactory: async (settings: Settings) => {
        const dataSource = await createDataSource(settings).initialize();
        if (settings.database.runMigrations) await migrate(dataSource);
        return dataSource;
      },
    },
    DatabaseService,
  ],
  exports: [DataSource, DatabaseService],
})
export class DatabaseModule {}
