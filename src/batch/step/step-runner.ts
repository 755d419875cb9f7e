import { Logger } from '@nestjs/common';
import type { TransactionManager } from '../chunk/transaction-manager.js';
import { LeaseLostError, StartLimitExceededError } from '../model/batch-error.js';
import type { JsonValue } from '../model/execution-context.js';
import { ExitStatus } from '../model/exit-status.js';
import { describeFailure } from '../model/describe-failure.js';
import type { JobExecution } from '../model/job-execution.js';
import type { JobParametersInput } from '../model/job-parameters.js';
import type { StepExecution } from '../model/step-execution.js';
import type { JobRepository, StepHistory } from '../repository/job-repository.js';
import { storeEnd } from '../repository/store-end.js';
import type { Step, StepLauncher } from './step.js';
import type { ChunkStepListener, StepListener } from './step-listener.js';
import { StepScope } from './step-scope.js';

export interface StepRunnerOptions<Tx> {
  job: JobExecution;
  repository: JobRepository<Tx>;
  transactionManager: TransactionManager<Tx>;
  signal: AbortSignal;
  /** Aborts the signal. */
  stop: () => void;
  /** Runs another job to its end. */
  runJob: (name: string, parameters: JobParametersInput) => Promise<JobExecution>;
  /** Listeners of every step with this name. */
  commonListeners: (stepName: string) => readonly ChunkStepListener<unknown, unknown, Tx>[];
  /** Of the instance, before this execution. */
  history: ReadonlyMap<string, StepHistory>;
  /** How long it is tried to store the end of a step, in milliseconds. Default: 0, it is tried once. */
  leaseMs?: number;
}

/**
 * Runs the steps of one job execution and keeps what became of them. It promises that a step which is complete is not run again, that
 * a step goes on where its last commit left it, and that the end of each step is stored before the next one begins.
 */
export class StepRunner<Tx> implements StepLauncher<Tx> {
  private readonly logger = new Logger('BatchStep');
  constructor(private readonly options: StepRunnerOptions<Tx>) {}

  get job(): JobExecution {
    return this.options.job;
  }

  get signal(): AbortSignal {
    return this.options.signal;
  }

  /** Steps of the instance whose names begin so, as the executions before this one left them. */
  historyOf(prefix: string): StepExecution[] {
    const { history } = this.options;
    return [...history].filter(([name]) => name.startsWith(prefix)).map(([, { last }]) => last);
  }

  /**
   * Returns the execution that counts: that of an earlier job execution where the step was complete already.
   *
   * @param context of a step that has none yet
   * @throws StartLimitExceededError
   */
  async run(step: Step<Tx>, context: Readonly<Record<string, JsonValue>> = {}): Promise<StepExecution> {
    const { job, repository, history } = this.options;
    const before = history.get(step.name);
    const isComplete = before?.last.status === 'COMPLETED';
    if (isComplete && !step.allowStartIfComplete) return before.last;
    if ((before?.starts ?? 0) >= step.startLimit) throw new StartLimitExceededError(step.name, step.startLimit);
    const execution = await repository.createStepExecution({
      jobExecutionId: job.id,
      stepName: step.name,
      context: before === undefined || isComplete ? context : before.last.context.toJSON(),
    });
    await this.execute(step, execution);
    return execution;
  }

  private async execute(step: Step<Tx>, execution: StepExecution): Promise<void> {
    const { history: _, commonListeners: listenersOf, leaseMs = 0, ...options } = this.options;
    const scope = new StepScope(options.job, execution);
    const commonListeners = listenersOf(step.name);
    const listeners: StepListener[] = [...commonListeners, ...step.listeners];
    try {
      for (const listener of [...listeners]) await listener.beforeStep?.(scope);
      await step.execute({ ...options, execution, scope, listeners, commonListeners, runner: this });
      // A partitioned step, or one that runs a job, has a status of its own.
      if (execution.status === 'STARTED') execution.status = options.signal.aborted ? 'STOPPED' : 'COMPLETED';
      execution.exitStatus = withCode(execution.exitStatus, ExitStatus.of(execution.status));
    } catch (error) {
      if (error instanceof LeaseLostError) throw error;
      this.fail(execution, error);
    }
    await this.afterStep(listeners, execution, scope);
    if (execution.status === 'COMPLETED') execution.progress = 1;
    execution.endedAt = new Date();
    const { repository } = options;
    await storeEnd(
      execution,
      () => repository.saveStep(execution, options.job.context),
      async () => (await repository.stepExecutions(execution.jobExecutionId)).find(({ id }) => id === execution.id),
      leaseMs,
    );
  }

  private async afterStep(
    listeners: readonly StepListener[],
    execution: StepExecution,
    scope: StepScope,
  ): Promise<void> {
    for (const listener of [...listeners].reverse()) {
      try {
        const exitStatus = await listener.afterStep?.(execution, scope);
        if (exitStatus !== undefined) execution.exitStatus = execution.exitStatus.and(exitStatus);
      } catch (error) {
        this.fail(execution, error);
      }
    }
  }

  private fail(execution: StepExecution, error: unknown): void {
    this.logger.error({ message: 'Step failed', step: execution.stepName, execution: execution.id, err: error });
    execution.status = 'FAILED';
    execution.exitStatus = withCode(execution.exitStatus, ExitStatus.FAILED).describedBy(describeFailure(error));
  }
}

/** A step may have set a code of its own while it ran. */
function withCode(current: ExitStatus, ended: ExitStatus): ExitStatus {
  if (current.code === ExitStatus.EXECUTING.code) return ended.describedBy(current.description);
  return ended.code === ExitStatus.COMPLETED.code ? current : current.and(ended);
}
