import type { INestApplicationContext } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { StandardSchemaV1 } from '@standard-schema/spec';
import type { Type } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { JobHandler, type JobHandlerOptions } from '../../../src/worker/processor/job-handler.js';
import { JobProcessor } from '../../../src/worker/processor/job-processor.js';
import type { WorkerJob } from '../../../src/worker/processor/worker-job.js';
import { WORKS_LATER } from '../../../src/worker/runtime/tokens.js';
import { WorkerModule } from '../../../src/worker/worker.module.js';
import type { DatabaseConnection } from '../test-databases.js';

type RunOnce = <R>(work: (tx: EntityManager) => Promise<R>, instance?: string) => Promise<R>;

export interface TestWork {
  work: (job: WorkerJob, runOnce: RunOnce) => Promise<unknown>;
  schema?: StandardSchemaV1;
  onGivenUp?: (job: WorkerJob, error: Error) => void;
  options?: JobHandlerOptions;
}

/** A processor of a queue, for one test. */
export function processorOf(queue: string, { work, schema, onGivenUp, options }: TestWork): Type<JobProcessor> {
  @JobHandler(queue, options)
  class TestProcessor extends JobProcessor {
    override readonly schema = schema;

    work(job: WorkerJob): Promise<unknown> {
      return work(job, (inTransaction, instance) => this.runOnce(job, inTransaction, { instance }));
    }

    override onGivenUp(job: WorkerJob, error: Error): void {
      onGivenUp?.(job, error);
    }
  }
  return TestProcessor;
}

/**
 * A worker in this process. `close()` drains it.
 *
 * @param worksLater as with `runWorker`: the jobs begin when `WorkerLifecycle.work()` is called
 */
export function startTestWorker(
  processor: Type<JobProcessor>,
  environment: NodeJS.ProcessEnv,
  { worksLater = false } = {},
): Promise<INestApplicationContext> {
  class TestWorkerModule {}
  const all = {
    WORKER_NAME: 'test-worker',
    WORKER_LOCK_SECONDS: '2',
    LOGGER_CONFIG: '{"level":"silent"}',
    ...environment,
  };
  const module = {
    module: TestWorkerModule,
    imports: [WorkerModule.forRoot({ environment: all })],
    global: true,
    providers: [processor, ...(worksLater ? [{ provide: WORKS_LATER, useValue: true }] : [])],
    exports: worksLater ? [WORKS_LATER] : [],
  };
  return NestFactory.createApplicationContext(module, { logger: false, abortOnError: false });
}

/** DATABASE_CONFIG with these instances. */
export function databaseConfig(
  instances: Readonly<Record<string, DatabaseConnection & { poolSize?: number }>>,
): string {
  const entries = Object.entries(instances).map(([name, { host, port, username, password, database }]) => [
    name,
    { dbms: 'postgres', host, port, user: username, password, database, poolSize: 5 },
  ]);
  return JSON.stringify({ instances: Object.fromEntries(entries) as unknown });
}
