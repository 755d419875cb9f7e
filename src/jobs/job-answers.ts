import type { JobDefinition } from '../batch/job/job-definition.js';
import type { JobExecution } from '../batch/model/job-execution.js';
import type { JobParameterDeclaration, JobParameterValue } from '../batch/model/job-parameters.js';
import type { StepExecution } from '../batch/model/step-execution.js';
import type { JobRegistry } from '../batch/operator/job-registry.js';
import type { JobRepository, StoredSkip } from '../batch/repository/job-repository.js';
import { progressOf } from '../batch/step/partitioned-step.js';
import type {
  IJob,
  IJobExecution,
  IJobExecutionDetail,
  IJobParameter,
  ISkippedItem,
  IStepExecution,
} from '../interfaces/job.js';

/** What REST and the command line show of jobs and their executions. */

/** Every job that this process knows. */
export async function describeJobs(
  registry: JobRegistry<never>,
  repository: Pick<JobRepository<unknown>, 'lastExecutions'>,
): Promise<IJob[]> {
  const names = registry.names();
  const last = new Map((await repository.lastExecutions(names)).map((execution) => [execution.jobName, execution]));
  return names.map((name) => toJob(registry.get(name), last.get(name)));
}

export function toJob(
  { name, description, restartable, incrementer, parameters }: JobDefinition<never>,
  last: JobExecution | undefined,
): IJob {
  return {
    name,
    ...(description !== undefined && { description }),
    restartable,
    hasNextInstance: incrementer !== undefined,
    ...(parameters && { parameters: Object.entries(parameters).map(toParameter) }),
    ...(last && { lastExecution: toExecution(last) }),
  };
}

function toParameter([name, declaration]: [string, JobParameterDeclaration]): IJobParameter {
  const { type, required = false, identifying = true, default: value, choices, description } = declaration;
  return {
    ...{ name, type, required, identifying },
    ...(value !== undefined && { default: textOf(value) }),
    ...(choices && { choices: choices.map(textOf) }),
    ...(description !== undefined && { description }),
  };
}

export function toExecution(execution: JobExecution): IJobExecution {
  const { id, jobName, instance, parameters, status, exitStatus, interrupted, createdAt } = execution;
  return {
    ...{ id, job: jobName, instanceId: instance.id, parameters: parameters.toJSON(), status },
    ...{ exitCode: exitStatus.code, exitDescription: exitStatus.description, interrupted },
    createdAt: createdAt.toISOString(),
    ...(execution.startedAt && { startedAt: execution.startedAt.toISOString() }),
    ...(execution.endedAt && { endedAt: execution.endedAt.toISOString() }),
  };
}

function toStep(step: StepExecution, steps: readonly StepExecution[]): IStepExecution {
  const progress = progressOf(step, steps);
  const { id, stepName, status, exitStatus, readCount, writeCount, filterCount } = step;
  const { readSkipCount, processSkipCount, writeSkipCount, commitCount, rollbackCount } = step;
  return {
    ...{ id, name: stepName, status, exitCode: exitStatus.code, exitDescription: exitStatus.description },
    ...{ readCount, writeCount, filterCount, readSkipCount, processSkipCount, writeSkipCount },
    ...{ commitCount, rollbackCount, context: step.context.toJSON() },
    ...(progress !== undefined && { progress }),
    startedAt: step.startedAt.toISOString(),
    ...(step.endedAt && { endedAt: step.endedAt.toISOString() }),
  };
}

export const toExecutionDetail = (execution: JobExecution, steps: readonly StepExecution[]): IJobExecutionDetail => ({
  ...toExecution(execution),
  context: execution.context.toJSON(),
  steps: steps.map((step) => toStep(step, steps)),
});

export function toSkippedItem({ id, stepName, phase, item, errorName, message, at }: StoredSkip): ISkippedItem {
  return {
    ...{ id, step: stepName, phase },
    ...(item !== null && { item }),
    ...{ error: errorName, message, at: at.toISOString() },
  };
}

const textOf = (value: JobParameterValue): string => (value instanceof Date ? value.toISOString() : String(value));
