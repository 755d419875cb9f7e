import type { JobExecution, JobInstance } from '../model/job-execution.js';
import type { JobParameters } from '../model/job-parameters.js';
import type { ExecutionContext, JsonValue } from '../model/execution-context.js';
import type { StepContribution } from '../model/step-counters.js';
import type { SkippedItemRecord, StepExecution } from '../model/step-execution.js';

/** What the next execution of an instance takes over from the one before it. */
export interface StartDecision {
  context: Readonly<Record<string, JsonValue>>;
  restartAt: string | undefined;
}

export interface NewJobExecution {
  jobName: string;
  parameters: JobParameters;
  /** See `JobExecution.recoveries`. */
  recoveries: number;
  /** The process that runs it. Undefined: it waits for one that adopts it. */
  owner: string | undefined;
  leaseMs: number;
  /**
   * Gets every execution of the instance, the latest first. Nobody else can start one meanwhile. What it throws is the refusal, and
   * nothing is stored.
   */
  decide: (history: readonly JobExecution[]) => StartDecision;
}

export interface NewStepExecution {
  jobExecutionId: string;
  stepName: string;
  context: Readonly<Record<string, JsonValue>>;
}

/** What a chunk, or a call of a tasklet, adds to a step. */
export interface StepProgress {
  execution: StepExecution;
  contribution: StepContribution;
  /** True when it counts as a commit: an empty last chunk does not. */
  counts: boolean;
  skipped: readonly SkippedItemRecord[];
  /** How far the step is, from 0 to 1. Undefined: what was stored before stays. */
  progress?: number | undefined;
}

export interface SavedProgress {
  /** True when the same progress was saved before, by a commit whose answer was lost. Then nothing is saved now. */
  alreadyCommitted: boolean;
  stopRequested: boolean;
}

/** Of one step in all executions of a job instance. */
export interface StepHistory {
  last: StepExecution;
  starts: number;
}

export interface RenewedLease {
  jobExecutionId: string;
  stopRequested: boolean;
}

export interface JobExecutionFilter {
  jobName?: string;
  /** Executions before this one. */
  before?: string;
  limit: number;
}

export interface StoredSkip extends SkippedItemRecord {
  id: string;
  stepName: string;
  at: Date;
}

/**
 * What the engine remembers: instances, executions, steps, contexts, skipped items. It promises that an instance has one running
 * execution at most, and that progress is stored with the transaction it is given. Every implementation passes the same suite of tests.
 */
export abstract class JobRepository<Tx> {
  /**
   * Makes the instance if it is new, and a new execution with status STARTING.
   *
   * @throws JobExecutionAlreadyRunningError when an execution of the instance runs and `decide` did not refuse; and what `decide` throws
   */
  abstract createExecution(request: NewJobExecution): Promise<JobExecution>;

  /**
   * Makes a step execution with status STARTED.
   *
   * @throws LeaseLostError when the job execution does not run any more
   * @throws NoSuchJobExecutionError
   */
  abstract createStepExecution(request: NewStepExecution): Promise<StepExecution>;

  /**
   * Adds to the counters of a running step and keeps its context, within `tx`. The context is written only when it has changed.
   *
   * @throws LeaseLostError when the step was ended by another process
   */
  abstract saveProgress(tx: Tx, progress: StepProgress): Promise<SavedProgress>;

  /**
   * Whether the progress behind this version of the step is committed: true when the answer of its commit was lost.
   *
   * @throws LeaseLostError when the step was ended by another process
   */
  abstract isSaved(tx: Tx, execution: StepExecution): Promise<boolean>;

  /**
   * Keeps the end of a step: status, exit status, counters, progress and context. Counters, progress and context of a commit whose answer was
   * lost stay. The context of its job is kept with it, so that what a complete step has left there outlives its process.
   *
   * @throws LeaseLostError when the step was ended by another process
   */
  abstract saveStep(execution: StepExecution, jobContext: ExecutionContext): Promise<void>;

  /**
   * Keeps status, exit status, context, times and `restartAt` of a job execution that runs. STOPPING stays when a stop was requested and
   * the execution has only started. `interrupted` is kept only where no stop was requested.
   *
   * @throws LeaseLostError when it does not run any more, or was not made here
   */
  abstract saveJob(execution: JobExecution): Promise<void>;

  /** Renews the leases of these executions. Returns those that still run and belong to this process. */
  abstract renewLeases(owner: string, ids: readonly string[], leaseMs: number): Promise<RenewedLease[]>;

  /**
   * Asks for a stop, and sets STOPPING. Returns false when the execution does not run.
   *
   * @throws NoSuchJobExecutionError
   */
  abstract requestStop(id: string): Promise<boolean>;

  /**
   * Sets ABANDONED. Returns false when the execution runs, or is complete.
   *
   * @throws NoSuchJobExecutionError
   */
  abstract abandon(id: string): Promise<boolean>;

  /**
   * Deletes instances with their executions, steps and skipped items. An instance that runs is left alone.
   *
   * @returns the number of instances
   */
  abstract deleteInstances(ids: readonly string[]): Promise<number>;

  /**
   * Ends executions, and their steps, whose lease has expired: FAILED, and interrupted unless a stop was requested. Returns them. It leaves
   * alone, for the next call, what has saved progress in a transaction that is open.
   */
  abstract failExpired(description: string): Promise<JobExecution[]>;

  /**
   * Gives this process executions of these jobs that wait for one, the oldest first. Their status is STARTING, or STOPPING when a stop was
   * requested meanwhile.
   */
  abstract adopt(jobNames: readonly string[], owner: string, leaseMs: number): Promise<JobExecution[]>;

  /** Interrupted executions of these jobs that are the latest of their instance. */
  abstract interrupted(jobNames: readonly string[]): Promise<JobExecution[]>;

  /**
   * True when a step of the execution has a commit that brings the instance further. Those of a step that was complete in an earlier
   * execution, and ran again, do not.
   */
  abstract hasProgressed(execution: JobExecution): Promise<boolean>;

  abstract findExecution(id: string): Promise<JobExecution | undefined>;
  /** The latest first. */
  abstract findExecutions(filter: JobExecutionFilter): Promise<JobExecution[]>;
  /** The latest execution of each of these jobs that has one. */
  abstract lastExecutions(jobNames: readonly string[]): Promise<JobExecution[]>;
  /** Of the instance with these parameters, the latest first. */
  abstract executionsOf(jobName: string, parameters: JobParameters): Promise<JobExecution[]>;
  /** In the order of their start. */
  abstract stepExecutions(jobExecutionId: string): Promise<StepExecution[]>;
  /** By name of the step. */
  abstract stepHistory(instance: JobInstance): Promise<Map<string, StepHistory>>;
  /** In the order in which they were skipped, after `after`. */
  abstract skippedItems(jobExecutionId: string, page: { after?: string; limit: number }): Promise<StoredSkip[]>;
  /**
   * Deletes instances all of whose executions ended before, with these, their steps and their skipped items. An older execution of an
   * instance that was started again stays, because a restart skips the steps that it has completed. It works in short transactions, and
   * leaves alone what other callers delete at the same time.
   *
   * @param signal aborted: it ends with the transaction that is open
   * @returns the number of executions
   */
  abstract deleteEndedBefore(before: Date, signal?: AbortSignal): Promise<number>;

  /** The last time of its schedule for which a job was started. */
  abstract lastFireTime(jobName: string): Promise<Date | undefined>;
  /**
   * Where no time is stored, stores this one. Of several processes that begin at once, one does.
   *
   * @returns whether none was stored
   */
  abstract saveFirstFireTime(jobName: string, at: Date): Promise<boolean>;
  /** An earlier time than the one that is stored changes nothing. */
  abstract saveFireTime(jobName: string, at: Date): Promise<void>;
}
