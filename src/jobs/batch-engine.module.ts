import { Module, type DynamicModule } from '@nestjs/common';
import { BatchModule } from '../batch/nest/batch.module.js';
import type { Settings } from '../services/config/settings.js';
import { DatabaseService } from '../services/database/database.service.js';
import { ExampleJobsModule } from './examples/example-jobs.module.js';

/** The batch engine on the service's database, with the jobs that a process knows. A process of role `api` runs none of them. */
@Module({})
export class BatchEngineModule {
  static forSettings({ role, exampleJobs }: Settings): DynamicModule {
    return {
      module: BatchEngineModule,
      imports: [
        BatchModule.forRootAsync({
          inject: [DatabaseService],
          // The service's migrations have made the tables.
          useFactory: (database: DatabaseService) => ({ database, migrate: false, runsJobs: role !== 'api' }),
        }),
        ...(exampleJobs ? [ExampleJobsModule] : []),
      ],
    };
  }
}
