import type { ItemContext } from '../chunk/item.js';
import { ExecutionContext, type JsonValue } from '../model/execution-context.js';
import { JobExecution } from '../model/job-execution.js';
import { JobParameters, type JobParametersInput } from '../model/job-parameters.js';
import { StepCounters } from '../model/step-counters.js';
import { StepExecution } from '../model/step-execution.js';
import { StepScope } from '../step/step-scope.js';

/** Values of an execution context, by key. */
type ContextValues = Readonly<Record<string, JsonValue>>;

export interface FakeJobExecutionOptions {
  /** Default: `job`. */
  jobName?: string;
  parameters?: JobParametersInput;
  context?: ContextValues;
}

/** A job execution with status STARTED that no repository knows. */
export function fakeJobExecution({
  jobName = 'job',
  parameters = {},
  context,
}: FakeJobExecutionOptions = {}): JobExecution {
  const read = JobParameters.read(jobName, parameters);
  const execution = new JobExecution('1', { id: '1', jobName }, read, new Date(), new ExecutionContext(context));
  execution.status = 'STARTED';
  execution.startedAt = execution.createdAt;
  return execution;
}

export interface FakeStepExecutionOptions {
  /** Default: `step`. */
  stepName?: string;
  /** Default: `1`. */
  jobExecutionId?: string;
  context?: ContextValues;
}

/** A step execution with status STARTED that no repository knows. */
export function fakeStepExecution(options: FakeStepExecutionOptions = {}): StepExecution {
  const { stepName = 'step', jobExecutionId = '1', context } = options;
  return new StepExecution('1', jobExecutionId, stepName, new Date(), new ExecutionContext(context));
}

export interface FakeStepScopeOptions extends Pick<FakeJobExecutionOptions, 'jobName' | 'parameters'> {
  stepName?: string;
  /** What earlier steps have left for this one. */
  jobContext?: ContextValues;
  /** What an earlier execution of the step, or its partitioner, has left. */
  stepContext?: ContextValues;
}

/** What a late-bound part of a step gets: `reader((scope) => …)`. */
export function fakeStepScope(options: FakeStepScopeOptions = {}): StepScope {
  const { stepName, jobContext, stepContext, ...job } = options;
  const execution = fakeJobExecution({ ...job, context: jobContext });
  return new StepScope(execution, fakeStepExecution({ stepName, jobExecutionId: execution.id, context: stepContext }));
}

export interface FakeItemContextOptions {
  /** Default: a new one of `fakeStepScope`. */
  scope?: StepScope;
  /** Chunks that were committed before this one. Default: 0. */
  commitCount?: number;
  /** Attempts at this chunk before this one. Default: 0. */
  retries?: number;
}

/** What a reader, processor, writer or listener of items gets: the context of one attempt at a chunk, in the transaction `tx`. */
export function fakeItemContext<Tx = undefined>(
  tx?: Tx,
  { scope = fakeStepScope(), commitCount = 0, retries = 0 }: FakeItemContextOptions = {},
): ItemContext<Tx> {
  const execution = new StepCounters();
  execution.commitCount = commitCount;
  return { tx: tx as Tx, execution, previousError: undefined, retries, scope };
}
