import { Global, Logger, Module } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { SETTINGS, type Settings } from '../config/settings.js';
import { createDataSource } from './data-source.js';
import { DatabaseService } from './database.service.js';
import { migrate } from './migrate.js';
import { readSchemaState } from './schema-state.js';

/** The only pool of the process. Migrations run at boot if the settings say so. */
@Global()
@Module({
  providers: [
    {
      provide: DataSource,
      inject: [SETTINGS],
      useFactory: async (settings: Settings) => {
        const dataSource = await createDataSource(settings).initialize();
        if (settings.database.runMigrations) await migrateWhereMissing(dataSource, settings);
        return dataSource;
      },
    },
    DatabaseService,
  ],
  exports: [DataSource, DatabaseService],
})
export class DatabaseModule {}

/** A role without the right to migrate may run the service when no migration is missing. */
async function migrateWhereMissing(dataSource: DataSource, settings: Settings): Promise<void> {
  try {
    const { missing } = await readSchemaState(dataSource);
    const logger = new Logger('Migrations');
    if (missing.length > 0) await migrate(settings, (line) => logger.log(line));
  } catch (error) {
    await dataSource.destroy();
    throw error;
  }
}
