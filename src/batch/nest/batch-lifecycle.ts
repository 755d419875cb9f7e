import {
  Inject,
  Injectable,
  type OnApplicationBootstrap,
  type OnModuleDestroy,
  type OnModuleInit,
} from '@nestjs/common';
import type { SqlClient } from '../../interfaces/sql.js';
import { ExecutionRetention } from '../operator/execution-retention.js';
import { JobOperator } from '../operator/job-operator.js';
import type { BatchModuleOptions, BatchStore } from './batch-options.js';
import { BATCH_OPTIONS, BATCH_STORE } from './batch-tokens.js';
import { JobScheduler } from './job-scheduler.js';

/** Makes the tables, runs jobs and deletes old executions while the application runs, and lets jobs end their chunks when it stops. */
@Injectable()
export class BatchLifecycle implements OnModuleInit, OnApplicationBootstrap, OnModuleDestroy {
  constructor(
    @Inject(BATCH_OPTIONS) private readonly options: BatchModuleOptions,
    @Inject(BATCH_STORE) private readonly store: BatchStore,
    private readonly operator: JobOperator<SqlClient>,
    private readonly scheduler: JobScheduler,
    private readonly retention: ExecutionRetention,
  ) {}

  async onModuleInit(): Promise<void> {
    await this.store.prepare();
  }

  async onApplicationBootstrap(): Promise<void> {
    this.operator.open();
    const { runsJobs = true, schedules = runsJobs } = this.options;
    if (runsJobs) this.retention.open();
    if (schedules) await this.scheduler.open();
  }

  async onModuleDestroy(): Promise<void> {
    this.scheduler.close();
    await this.retention.close();
    await this.operator.close();
  }
}
