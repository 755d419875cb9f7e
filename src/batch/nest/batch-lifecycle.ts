import {
  Inject,
  Injectable,
  type OnApplicationBootstrap,
  type OnModuleDestroy,
  type OnModuleInit,
} from '@nestjs/common';
import type { SqlClient } from '../../interfaces/sql.js';
import { JobOperator } from '../operator/job-operator.js';
import type { BatchModuleOptions, BatchStore } from './batch-options.js';
import { BATCH_OPTIONS, BATCH_STORE } from './batch-tokens.js';
import { JobScheduler } from './job-scheduler.js';

/** Makes the tables, runs jobs while the application runs, and lets them end their chunks when it stops. */
@Injectable()
export class BatchLifecycle implements OnModuleInit, OnApplicationBootstrap, OnModuleDestroy {
  constructor(
    @Inject(BATCH_OPTIONS) private readonly options: BatchModuleOptions,
    @Inject(BATCH_STORE) private readonly store: BatchStore,
    private readonly operator: JobOperator<SqlClient>,
    private readonly scheduler: JobScheduler,
  ) {}

  async onModuleInit(): Promise<void> {
    await this.store.prepare();
  }

  async onApplicationBootstrap(): Promise<void> {
    this.operator.open();
    const { runsJobs = true, schedules = runsJobs } = this.options;
    if (schedules) await this.scheduler.open();
  }

  async onModuleDestroy(): Promise<void> {
    this.scheduler.close();
    await this.operator.close();
  }
}
