import { Module, type DynamicModule, type FactoryProvider, type ModuleMetadata, type Provider } from '@nestjs/common';
import { DiscoveryModule } from '@nestjs/core';
import { ScheduleModule } from '@nestjs/schedule';
import { CommonListeners } from '../operator/common-listeners.js';
import { ExecutionRetention } from '../operator/execution-retention.js';
import { JobOperator } from '../operator/job-operator.js';
import { JobRegistry } from '../operator/job-registry.js';
import { JobRepository } from '../repository/job-repository.js';
import { BatchLifecycle } from './batch-lifecycle.js';
import { BATCH_OPTIONS, BATCH_STORE } from './batch-tokens.js';
import { openStore, type BatchModuleOptions, type BatchStore } from './batch-options.js';
import { JobExplorer } from './job-explorer.js';
import { JobScheduler } from './job-scheduler.js';

export interface BatchModuleAsyncOptions extends Pick<ModuleMetadata, 'imports'> {
  inject?: FactoryProvider['inject'];
  useFactory: (...args: never[]) => BatchModuleOptions | Promise<BatchModuleOptions>;
}

/**
 * The batch engine of an application. It is imported once, and is global: every module may inject `JobOperator`, `JobRegistry`,
 * `JobRepository` and `JobScheduler`, and any provider with `@BatchJob` or a listener decorator is found.
 */
@Module({})
export class BatchModule {
  static forRoot(options: BatchModuleOptions): DynamicModule {
    return BatchModule.withOptions({ provide: BATCH_OPTIONS, useValue: options });
  }

  static forRootAsync({ imports = [], inject = [], useFactory }: BatchModuleAsyncOptions): DynamicModule {
    return BatchModule.withOptions({ provide: BATCH_OPTIONS, inject, useFactory }, imports);
  }

  /** Provides jobs and listeners, with the modules that they inject from. A module may as well name them among its own providers. */
  static forFeature(providers: Provider[], { imports = [] }: Pick<ModuleMetadata, 'imports'> = {}): DynamicModule {
    return { module: BatchFeatureModule, imports, providers, exports: providers };
  }

  private static withOptions(options: Provider, imports: ModuleMetadata['imports'] = []): DynamicModule {
    return {
      module: BatchModule,
      global: true,
      imports: [DiscoveryModule, ScheduleModule.forRoot(), ...imports],
      providers: [options, ...PROVIDERS],
      exports: [JobOperator, JobRegistry, JobRepository, JobScheduler],
    };
  }
}

/** Holds the jobs of one `forFeature`. */
@Module({})
class BatchFeatureModule {}

const PROVIDERS: Provider[] = [
  { provide: BATCH_STORE, inject: [BATCH_OPTIONS], useFactory: openStore },
  { provide: JobRepository, inject: [BATCH_STORE], useFactory: ({ repository }: BatchStore) => repository },
  JobRegistry,
  CommonListeners,
  {
    provide: JobOperator,
    inject: [BATCH_OPTIONS, BATCH_STORE, JobRegistry, CommonListeners],
    useFactory: (
      { leaseMs, recoveryLimit, runsJobs, takesOver }: BatchModuleOptions,
      { repository, transactionManager }: BatchStore,
      registry: JobRegistry<never>,
      listeners: CommonListeners<never>,
    ) =>
      new JobOperator({
        repository,
        transactionManager,
        ...{ registry, listeners, leaseMs, recoveryLimit, runsJobs, takesOver },
      }),
  },
  {
    provide: ExecutionRetention,
    inject: [BATCH_OPTIONS, BATCH_STORE],
    useFactory: ({ retentionHours }: BatchModuleOptions, { repository }: BatchStore) =>
      new ExecutionRetention(repository, retentionHours),
  },
  JobScheduler,
  JobExplorer,
  BatchLifecycle,
];
