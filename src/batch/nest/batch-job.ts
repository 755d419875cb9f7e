import { Injectable, SetMetadata, applyDecorators } from '@nestjs/common';
import type { SqlClient } from '../../interfaces/sql.js';
import type { BatchBuilders } from '../job/batch-builders.js';
import type { JobDefinition } from '../job/job-definition.js';

/** A class that says what a job consists of. `BatchModule` finds it in every module. */
export interface BatchJobClass<Tx = SqlClient> {
  define(builders: BatchBuilders<Tx>): JobDefinition<Tx>;
}

export const BATCH_JOB = 'batch-service:job';

/**
 * Makes a class a job: an injectable provider whose `define` is called once, when the application starts.
 *
 * @param name the name of the job that `define` builds, for a check. Default: whatever name that has.
 */
export function BatchJob(name?: string): ClassDecorator {
  return applyDecorators(Injectable(), SetMetadata(BATCH_JOB, { name }));
}
