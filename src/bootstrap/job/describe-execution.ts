import type { JobExecution } from '../../batch/model/job-execution.js';
import type { StepExecution } from '../../batch/model/step-execution.js';
import type { StoredSkip } from '../../batch/repository/job-repository.js';

/** An execution as JSON for programs. */
export function executionJson(
  { id, jobName: job, instance, status, exitStatus, parameters, createdAt, startedAt, endedAt }: JobExecution,
  steps?: readonly StepExecution[],
  skippedItems?: readonly StoredSkip[],
) {
  return {
    ...{ id, job, instanceId: instance.id, status },
    ...{ exitCode: exitStatus.code, exitDescription: exitStatus.description, parameters: parameters.toJSON() },
    createdAt: createdAt.toISOString(),
    startedAt: startedAt?.toISOString(),
    endedAt: endedAt?.toISOString(),
    ...(steps && { steps: steps.map(stepJson) }),
    ...(skippedItems && { skippedItems }),
  };
}

/** An execution for people, line by line. */
export function executionLines(
  execution: JobExecution,
  steps: readonly StepExecution[],
  skipped: readonly StoredSkip[],
): string[] {
  const { id, jobName, status, exitStatus } = execution;
  return [
    `execution ${id} of ${jobName}: ${status}, exit code ${exitStatus.code}`,
    ...(exitStatus.description === '' ? [] : [`  ${exitStatus.description}`]),
    ...steps.map((step) => {
      const { readCount, writeCount, filterCount, skipCount, commitCount, rollbackCount } = step;
      return (
        `  ${step.stepName}: ${step.status}, ${readCount} read, ${writeCount} written, ${filterCount} filtered, ` +
        `${skipCount} skipped, ${commitCount} commits, ${rollbackCount} rollbacks`
      );
    }),
    ...skipped.map(({ stepName, phase, errorName, message, item }) => {
      return `  skipped in ${stepName}, ${phase}: ${errorName}: ${message}${item === null ? '' : ` ${item}`}`;
    }),
  ].map(plain);
}

/** Data must not steer the terminal. */
// eslint-disable-next-line no-control-regex -- these are the characters to replace
const plain = (text: string): string => text.replaceAll(/[\u0000-\u001f\u007f-\u009f]/g, ' ');

function stepJson(step: StepExecution) {
  const { id, stepName: name, status, exitStatus, startedAt, endedAt } = step;
  const { readCount, writeCount, filterCount, readSkipCount, processSkipCount, writeSkipCount } = step;
  return {
    ...{ id, name, status, exitCode: exitStatus.code, exitDescription: exitStatus.description },
    ...{ readCount, writeCount, filterCount, readSkipCount, processSkipCount, writeSkipCount },
    ...{ commitCount: step.commitCount, rollbackCount: step.rollbackCount },
    startedAt: startedAt.toISOString(),
    endedAt: endedAt?.toISOString(),
  };
}
