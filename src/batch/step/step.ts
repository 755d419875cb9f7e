import type { TransactionManager } from '../chunk/transaction-manager.js';
import type { JsonValue } from '../model/execution-context.js';
import type { JobExecution } from '../model/job-execution.js';
import type { JobParametersInput } from '../model/job-parameters.js';
import type { StepExecution } from '../model/step-execution.js';
import type { JobRepository } from '../repository/job-repository.js';
import type { ChunkStepListener, StepListener } from './step-listener.js';
import type { StepScope } from './step-scope.js';

/** Runs steps as parts of a step. */
export interface StepLauncher<Tx> {
  readonly signal: AbortSignal;
  /** @param context of a step that has none yet */
  run(step: Step<Tx>, context?: Readonly<Record<string, JsonValue>>): Promise<StepExecution>;
  /** Steps of the instance whose names begin so, as the executions before this one left them. */
  historyOf(prefix: string): StepExecution[];
}

/** What a step gets for one execution. */
export interface StepRun<Tx> {
  readonly job: JobExecution;
  readonly execution: StepExecution;
  readonly scope: StepScope;
  readonly repository: JobRepository<Tx>;
  readonly transactionManager: TransactionManager<Tx>;
  /** Aborted when the execution is to stop at the next chunk. */
  readonly signal: AbortSignal;
  /** Aborts the signal. */
  readonly stop: () => void;
  /** Runs another job to its end, and stops it with this one. When only this process ends, the execution may still run. */
  readonly runJob: (name: string, parameters: JobParametersInput) => Promise<JobExecution>;
  /** Told of the end of the step. A step may add its parts while it runs. */
  readonly listeners: StepListener[];
  /** Of every step with this name: also told of its chunks and items. */
  readonly commonListeners: readonly ChunkStepListener<unknown, unknown, Tx>[];
  /** For steps that consist of steps. */
  readonly runner: StepLauncher<Tx>;
}

/** A part of a job. Its definition holds no state: everything of one execution is in `StepRun`. */
export interface Step<Tx> {
  readonly name: string;
  /** How often it may be started in all executions of a job instance. */
  readonly startLimit: number;
  /** True: a restart executes it again although it is complete. */
  readonly allowStartIfComplete: boolean;
  readonly listeners: readonly StepListener[];
  /** What it throws fails the step. */
  execute(run: StepRun<Tx>): Promise<void>;
}
