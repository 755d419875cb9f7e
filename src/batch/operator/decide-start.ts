import {
  JobExecutionAlreadyRunningError,
  JobInstanceAlreadyCompleteError,
  JobRestartError,
} from '../model/batch-error.js';
import { isRunning } from '../model/batch-status.js';
import type { JobExecution } from '../model/job-execution.js';
import type { StartDecision } from '../repository/job-repository.js';

/**
 * Whether an instance may be started once more, and with what.
 *
 * @param history its executions, the latest first
 * @throws JobExecutionAlreadyRunningError, JobInstanceAlreadyCompleteError, JobRestartError
 */
export function decideStart(
  { name, restartable }: { name: string; restartable: boolean },
  history: readonly JobExecution[],
): StartDecision {
  const running = history.find(({ status }) => isRunning(status));
  if (running !== undefined) throw new JobExecutionAlreadyRunningError(name, running.id);
  const ended = history.find(({ status }) => status === 'COMPLETED' || status === 'ABANDONED');
  if (ended !== undefined) throw new JobInstanceAlreadyCompleteError(name, ended.id, ended.status);
  const unknown = history.find(({ status }) => status === 'UNKNOWN');
  if (unknown !== undefined) {
    throw new JobRestartError(
      `Job "${name}" cannot be restarted: how execution ${unknown.id} ended is not known. Look at its data, then abandon it.`,
    );
  }
  const [last] = history;
  if (last === undefined) return { context: {}, restartAt: undefined };
  if (!restartable) {
    throw new JobRestartError(`Job "${name}" is not restartable, and execution ${last.id} is ${last.status}`);
  }
  return { context: last.context.toJSON(), restartAt: last.restartAt };
}
