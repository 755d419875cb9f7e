import { applyDecorators, Injectable, SetMetadata } from '@nestjs/common';
import { Processor } from '@nestjs/bullmq';
import type { WorkerOptions } from 'bullmq';

const JOB_HANDLER = 'batch-service/worker:job-handler';

/** Options of BullMQ for the worker of a queue, such as `limiter`. The environment says the rest. */
export type JobHandlerOptions = Partial<Omit<WorkerOptions, 'connection' | 'name' | 'autorun' | 'prefix'>>;

export interface JobHandlerMetadata {
  queue: string;
  options: JobHandlerOptions;
}

/**
 * Marks a class that extends `JobProcessor` as the processor of a queue. It is a `@Processor` of `@nestjs/bullmq`, with the
 * settings of the worker.
 *
 * @param queue its name
 * @param options WORKER_CONCURRENCY overrides `concurrency`
 */
export function JobHandler(queue: string, options: JobHandlerOptions = {}): ClassDecorator {
  return applyDecorators(
    Injectable(),
    Processor({ name: queue }, { ...options, autorun: false }),
    SetMetadata(JOB_HANDLER, { queue, options } satisfies JobHandlerMetadata),
  );
}

/** What `@JobHandler` says of a class, undefined for a class without it. */
export function jobHandlerOf(type: unknown): JobHandlerMetadata | undefined {
  return typeof type === 'function' ? (Reflect.getMetadata(JOB_HANDLER, type) as JobHandlerMetadata) : undefined;
}
