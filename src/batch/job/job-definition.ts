import type { SqlClient } from '../../interfaces/sql.js';
import type { Awaitable } from '../awaitable.js';
import type { Flow } from '../flow/flow.js';
import type { JobExecution } from '../model/job-execution.js';
import type { JobParameter, JobParameterDeclarations, JobParameters } from '../model/job-parameters.js';

/** Is told of the beginning and the end of a job execution. */
export interface JobListener {
  beforeJob?(execution: JobExecution): Awaitable<void>;
  /** Called before the end is stored. It may change `execution.exitStatus`. */
  afterJob?(execution: JobExecution): Awaitable<void>;
}

/** Says what is wrong with the parameters, each fault as a sentence without its full stop. */
export type JobParametersValidator = (parameters: JobParameters) => Awaitable<readonly string[] | void>;

/** Makes the parameters of the next instance from those of the last one. */
export type JobParametersIncrementer = (last: JobParameters | undefined) => Readonly<Record<string, JobParameter>>;

export interface JobDefinition<Tx = SqlClient> {
  name: string;
  description?: string;
  flow: Flow<Tx>;
  /** Undefined: the job takes any parameters. */
  parameters?: JobParameterDeclarations;
  validator?: JobParametersValidator;
  incrementer?: JobParametersIncrementer;
  /** False: an execution that has failed is not run again. */
  restartable: boolean;
  listeners: readonly JobListener[];
}

/** Counts the instances of a job in the parameter `run.id`. */
export const runIdIncrementer: JobParametersIncrementer = (last) => {
  const runId = last?.get('run.id');
  return { 'run.id': { type: 'integer', value: typeof runId === 'number' ? runId + 1 : 1, identifying: true } };
};
