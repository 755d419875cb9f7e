import { Module, type DynamicModule } from '@nestjs/common';
import type { BatchModuleOptions } from '../batch/nest/batch-options.js';
import { BatchModule } from '../batch/nest/batch.module.js';
import type { Settings } from '../services/config/settings.js';
import { DatabaseService } from '../services/database/database.service.js';
import { ExampleJobsModule } from './examples/example-jobs.module.js';

/** What a process does for jobs, beside starting and showing them. */
export type JobDuties = Pick<BatchModuleOptions, 'runsJobs' | 'takesOver' | 'schedules' | 'retentionHours'>;

/** The batch engine on the service's database, with the jobs that a process knows. A process of role `api` runs none of them. */
@Module({})
export class BatchEngineModule {
  static forSettings(
    { role, exampleJobs, jobRetentionHours: retentionHours }: Settings,
    duties: JobDuties = { runsJobs: role !== 'api', retentionHours },
  ): DynamicModule {
    return {
      module: BatchEngineModule,
      imports: [
        BatchModule.forRootAsync({
          inject: [DatabaseService],
          // The service's migrations have made the tables.
          useFactory: (database: DatabaseService) => ({ database, migrate: false, ...duties }),
        }),
        ...(exampleJobs ? [ExampleJobsModule] : []),
      ],
    };
  }
}
