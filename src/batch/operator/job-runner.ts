import { Logger } from '@nestjs/common';
import type { TransactionManager } from '../chunk/transaction-manager.js';
import { FlowRunner } from '../flow/flow-runner.js';
import type { JobDefinition } from '../job/job-definition.js';
import { InvalidJobParametersError, LeaseLostError } from '../model/batch-error.js';
import { describeFailure } from '../model/describe-failure.js';
import { ExitStatus } from '../model/exit-status.js';
import type { JobExecution } from '../model/job-execution.js';
import type { JobParametersInput } from '../model/job-parameters.js';
import type { JobRepository } from '../repository/job-repository.js';
import { storeEnd } from '../repository/store-end.js';
import type { CommonListeners } from './common-listeners.js';
import { StepRunner } from '../step/step-runner.js';
import { unreadableFiles } from './unreadable-files.js';

export interface JobRunOptions<Tx> {
  repository: JobRepository<Tx>;
  transactionManager: TransactionManager<Tx>;
  /** Aborted when the job is to stop. */
  signal: AbortSignal;
  /** Somebody has asked for a stop. */
  stop: () => void;
  /** True when the job stops because its process ends, and nobody has asked for the stop. */
  isInterrupted: () => boolean;
  runJob: (name: string, parameters: JobParametersInput) => Promise<JobExecution>;
  /** How long it is tried to store an end, in milliseconds. */
  leaseMs: number;
  /** Listeners of this job, and of steps, that its definition does not name. */
  commonListeners: CommonListeners<Tx>;
}

const logger = new Logger('BatchJob');

/** Runs one execution of a job to its end and keeps how it ended. Rejects only when that cannot be kept. */
export async function runJob<Tx>(
  definition: JobDefinition<Tx>,
  execution: JobExecution,
  options: JobRunOptions<Tx>,
): Promise<void> {
  const { repository, transactionManager, signal, stop, runJob: runOther, commonListeners, leaseMs } = options;
  const listeners = [...commonListeners.ofJob(definition.name), ...definition.listeners];
  const started = performance.now();
  try {
    execution.status = 'STARTED';
    execution.startedAt = new Date();
    // A process that runs no jobs may have stored the execution. No step begins without its files.
    const faults = await unreadableFiles(execution.parameters);
    if (faults.length > 0) throw new InvalidJobParametersError(definition.name, faults);
    await repository.saveJob(execution);
    for (const listener of listeners) await listener.beforeJob?.(execution);
    const history = await repository.stepHistory(execution.instance);
    const steps = new StepRunner({
      job: execution,
      repository,
      transactionManager,
      signal,
      stop,
      history,
      leaseMs,
      runJob: runOther,
      commonListeners: (stepName) => commonListeners.ofStep(definition.name, stepName),
    });
    const result = await new FlowRunner(steps).run(definition.flow, execution.restartAt);
    execution.status = result.status;
    execution.exitStatus = result.exitStatus;
    // Until the job is complete, each restart begins there: also one after a failure, a stop or a crash.
    execution.restartAt = result.restartAt ?? execution.restartAt;
  } catch (error) {
    if (error instanceof LeaseLostError) throw error;
    fail(execution, error);
  }
  for (const listener of [...listeners].reverse()) {
    try {
      await listener.afterJob?.(execution);
    } catch (error) {
      fail(execution, error);
    }
  }
  if (execution.status === 'COMPLETED') execution.restartAt = undefined;
  execution.interrupted = execution.status === 'STOPPED' && options.isInterrupted();
  execution.endedAt = new Date();
  await storeEnd(
    execution,
    () => repository.saveJob(execution),
    () => repository.findExecution(execution.id),
    leaseMs,
  );
  logger.log({
    message: 'Job ended',
    job: execution.jobName,
    execution: execution.id,
    status: execution.status,
    exitCode: execution.exitStatus.code,
    ms: Math.round(performance.now() - started),
  });
}

function fail(execution: JobExecution, error: unknown): void {
  logger.error({ message: 'Job failed', job: execution.jobName, execution: execution.id, err: error });
  execution.status = 'FAILED';
  execution.exitStatus = ExitStatus.FAILED.describedBy(describeFailure(error));
}
