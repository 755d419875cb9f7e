import { BatchError } from '../../batch/model/batch-error.js';
import type { JobExecution } from '../../batch/model/job-execution.js';
import { explain } from '../run-command.js';
import type { Jobs } from './open-jobs.js';
import { showProgress } from './show-progress.js';

const POLL_MS = 500;
/** The exit status that a shell uses for a process that a signal ended. */
const EXIT_CODE = { SIGINT: 130, SIGTERM: 143 } as const;
/** Under npm one Ctrl-C arrives twice, from the terminal and from npm. */
const SAME_KEYSTROKE_MS = 500;

type StopSignal = keyof typeof EXIT_CODE;

/**
 * Starts an execution in this process and waits for its end. The first SIGINT or SIGTERM stops it after its chunk, so that it can be
 * restarted. A second one ends the process: what the open chunk has done is rolled back.
 */
export async function runHere(jobs: Jobs, start: () => Promise<JobExecution>): Promise<JobExecution> {
  const stopRequested = new Promise<void>((resolve) => onStopSignal(resolve));
  const { id } = await start();
  void stopRequested.then(() => stop(jobs, id));
  const progress = showProgress(process.stderr);
  const poll = setInterval(() => {
    // A poll that fails is of no consequence: the next one shows more.
    void jobs.repository.stepExecutions(id).then(
      (steps) => progress.show(steps, performance.now()),
      () => undefined,
    );
  }, POLL_MS);
  try {
    return await jobs.operator.awaitEnd(id);
  } finally {
    clearInterval(poll);
    progress.end();
  }
}

function onStopSignal(stopped: () => void): void {
  let requestedAt: number | undefined;
  const heard = (signal: StopSignal): void => {
    if (requestedAt !== undefined) {
      if (performance.now() - requestedAt > SAME_KEYSTROKE_MS) process.exit(EXIT_CODE[signal]);
      return;
    }
    requestedAt = performance.now();
    stopped();
  };
  process.on('SIGINT', heard);
  process.on('SIGTERM', heard);
}

async function stop({ operator }: Jobs, id: string): Promise<void> {
  explain(`Stopping execution ${id} after its chunk; a second signal ends the process at once`);
  try {
    await operator.stop(id);
  } catch (error) {
    // It has just ended.
    if (error instanceof BatchError && error.code === 'JOB_NOT_RUNNING') return;
    explain(`Execution ${id} could not be stopped: ${(error as Error).message}`);
  }
}
