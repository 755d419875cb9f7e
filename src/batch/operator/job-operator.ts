import { Logger } from '@nestjs/common';
import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import type { TransactionManager } from '../chunk/transaction-manager.js';
import { hasPlace } from '../flow/has-place.js';
import type { JobDefinition } from '../job/job-definition.js';
import {
  BatchError,
  InvalidJobParametersError,
  JobExecutionNotRunningError,
  JobExecutionStillRunningError,
  JobExecutionAlreadyRunningError,
  JobInstanceAlreadyCompleteError,
  JobRestartError,
  LeaseLostError,
  NoSuchJobExecutionError,
} from '../model/batch-error.js';
import { isRunning } from '../model/batch-status.js';
import type { JobExecution } from '../model/job-execution.js';
import { JobParameters, type JobParametersInput } from '../model/job-parameters.js';
import type { JobRepository } from '../repository/job-repository.js';
import { CommonListeners } from './common-listeners.js';
import { decideStart } from './decide-start.js';
import { every } from './every.js';
import { nextParameters } from './next-parameters.js';
import { InnerJobs } from './inner-jobs.js';
import { runJob } from './job-runner.js';
import { stopByRequest, type RunningExecution } from './running-execution.js';
import type { JobRegistry } from './job-registry.js';
import { unreadableFiles } from './unreadable-files.js';

export interface JobOperatorOptions<Tx> {
  repository: JobRepository<Tx>;
  transactionManager: TransactionManager<Tx>;
  registry: JobRegistry<Tx>;
  /** Listeners that no definition names. */
  listeners?: CommonListeners<Tx>;
  /** Milliseconds after which another process takes over the executions of one that has gone. Default: 15 s. */
  leaseMs?: number;
  /**
   * False: this process only starts, stops and looks up. What it starts waits for a process that has the job and runs jobs. Default: true.
   */
  runsJobs?: boolean;
  /** False: this process runs what it starts itself, and nothing that waits for a process or was left by one. Default: true. */
  takesOver?: boolean;
  /** How many executions in a row may be interrupted without a new commit before nobody restarts the job by itself. Default: 5. */
  recoveryLimit?: number;
}

const LEASE_MS = 15_000;
const RECOVERY_LIMIT = 5;
/** A lease is renewed so often within its time: one or two lost renewals do no harm. */
const RENEWALS = 4;
/** Executions that wait, and processes that have gone, are looked for so often. */
const RECOVERY_INTERVAL_MS = 2000;
const ADOPTION_INTERVAL_MS = 500;
/** The end of an execution of another process is looked for so often. */
const POLL_MS = 500;

/**
 * Starts, stops and restarts jobs. It promises that an instance runs in one process at a time, and that an execution whose process has gone
 * is taken over: `open` begins to renew leases and to look for such executions, `close` ends it.
 */
export class JobOperator<Tx> {
  private readonly logger = new Logger('JobOperator');
  private readonly running = new Map<string, RunningExecution>();
  private readonly innerJobs: InnerJobs;
  /** Interrupted executions that could not be restarted here. */
  private readonly refused = new Set<string>();
  /** Names this process in the repository. */
  readonly owner = `${hostname()}/${process.pid}/${randomUUID().slice(0, 8)}`;
  private readonly leaseMs: number;
  private renewal: NodeJS.Timeout | undefined;
  private recovery: NodeJS.Timeout | undefined;
  private adoption: NodeJS.Timeout | undefined;
  private readonly runsJobs: boolean;
  private shutDown = false;

  constructor(private readonly options: JobOperatorOptions<Tx>) {
    this.leaseMs = options.leaseMs ?? LEASE_MS;
    this.runsJobs = options.runsJobs ?? true;
    this.innerJobs = new InnerJobs({
      running: this.running,
      start: (name, parameters) => this.start(name, parameters),
      awaitEndUnless: (id, leaves) => this.awaitEndUnless(id, POLL_MS, leaves),
      requestStop: (id) => options.repository.requestStop(id),
      isShutDown: () => this.shutDown,
    });
  }

  /** Renews leases, runs what waits for a process, and takes over what processes that have gone have left. */
  open(): void {
    if (!this.runsJobs) return;
    this.renewal ??= every(this.leaseMs / RENEWALS, () => this.renewLeases());
    if (this.options.takesOver === false) return;
    // Without a job there is nothing to ask the database for.
    if (this.options.registry.names().length === 0) return;
    this.adoption ??= every(ADOPTION_INTERVAL_MS, () => this.adopt());
    this.recovery ??= every(RECOVERY_INTERVAL_MS, () => this.recover());
  }

  /** Stops every execution of this process after its chunk, for another process, or the next start, to go on with. */
  async close(): Promise<void> {
    this.shutDown = true;
    clearInterval(this.recovery);
    clearInterval(this.adoption);
    for (const { abort } of this.running.values()) abort.abort();
    await Promise.allSettled([...this.running.values()].map(({ ended }) => ended));
    clearInterval(this.renewal);
  }

  /**
   * Starts a job, or restarts its instance where an execution with these identifying parameters has failed or was stopped.
   *
   * @returns the execution while it runs, or waits for a process; `awaitEnd` waits for its end
   * @throws NoSuchJobError, InvalidJobParametersError, JobExecutionAlreadyRunningError, JobInstanceAlreadyCompleteError, JobRestartError
   */
  async start(jobName: string, input: JobParametersInput = {}): Promise<JobExecution> {
    const job = this.options.registry.get(jobName);
    const parameters = JobParameters.read(jobName, input, job.parameters);
    return this.launch(job, parameters);
  }

  /** Starts a job and waits for its end. */
  async run(jobName: string, input: JobParametersInput = {}): Promise<JobExecution> {
    const { id } = await this.start(jobName, input);
    return this.awaitEnd(id);
  }

  /** Starts an instance that was never started. Undefined when it was: however that ended, it is left alone. */
  async startOnce(jobName: string, input: JobParametersInput): Promise<JobExecution | undefined> {
    const job = this.options.registry.get(jobName);
    const parameters = JobParameters.read(jobName, input, job.parameters);
    try {
      return await this.launch(job, parameters, { isFirst: true });
    } catch (error) {
      if (error instanceof StartedBeforeError) return undefined;
      throw error;
    }
  }

  /**
   * Starts the next instance of a job that has an incrementer: with the parameters of the last one, but for those given.
   *
   * @throws JobRestartError when it has none; NoSuchJobError, InvalidJobParametersError
   */
  async startNextInstance(jobName: string, input: JobParametersInput = {}): Promise<JobExecution> {
    const job = this.options.registry.get(jobName);
    const [last] = await this.options.repository.findExecutions({ jobName, limit: 1 });
    return this.launch(job, nextParameters(job, last?.parameters, input));
  }

  /** @throws NoSuchJobExecutionError, and what `start` throws */
  async restart(id: string): Promise<JobExecution> {
    const { jobName, parameters } = await this.find(id);
    return this.launch(this.options.registry.get(jobName), parameters);
  }

  /**
   * Asks an execution to stop, wherever it runs. It stops after the chunk that it works on.
   *
   * @throws NoSuchJobExecutionError, JobExecutionNotRunningError
   */
  async stop(id: string): Promise<void> {
    const { status } = await this.find(id);
    if (!(await this.options.repository.requestStop(id))) throw new JobExecutionNotRunningError(id, status);
    const run = this.running.get(id);
    if (run !== undefined) stopByRequest(run);
  }

  /**
   * Gives an execution up: its instance is never run again.
   *
   * @throws NoSuchJobExecutionError, JobExecutionStillRunningError, JobInstanceAlreadyCompleteError
   */
  async abandon(id: string): Promise<JobExecution> {
    if (await this.options.repository.abandon(id)) return this.find(id);
    const { status, jobName } = await this.find(id);
    if (isRunning(status)) throw new JobExecutionStillRunningError(id, status);
    throw new JobInstanceAlreadyCompleteError(jobName, id, status);
  }

  /** Resolves when the execution has ended, wherever it runs. */
  async awaitEnd(
    id: string,
    { pollMs = POLL_MS, signal }: { pollMs?: number; signal?: AbortSignal } = {},
  ): Promise<JobExecution> {
    return this.awaitEndUnless(id, pollMs, () => {
      signal?.throwIfAborted();
      return false;
    });
  }

  /** Ends executions whose process has gone, and restarts those that may be restarted. `open` calls it again and again. */
  async recover(): Promise<void> {
    const { repository, registry, recoveryLimit = RECOVERY_LIMIT } = this.options;
    for (const { id, jobName } of await repository.failExpired('The process that ran it has gone')) {
      this.logger.warn({ message: 'The process of a job has gone', job: jobName, execution: id });
    }
    if (this.shutDown) return;
    for (const execution of await repository.interrupted(registry.names())) {
      const { id, jobName, parameters } = execution;
      const job = registry.get(jobName);
      const recoveries = (await repository.hasProgressed(execution)) ? 0 : execution.recoveries + 1;
      if (!job.restartable || recoveries > recoveryLimit) continue;
      try {
        const { id: next } = await this.launch(job, parameters, { recoveries });
        this.logger.log({
          message: 'Job goes on after an interruption',
          job: jobName,
          execution: next,
          interrupted: id,
        });
      } catch (error) {
        if (!(error instanceof BatchError)) throw error;
        this.tellOfRefusal(execution, error);
      }
    }
  }

  /** Runs executions that wait for a process. `open` calls it again and again. */
  async adopt(): Promise<void> {
    const { repository, registry } = this.options;
    if (this.shutDown) return;
    for (const execution of await repository.adopt(registry.names(), this.owner, this.leaseMs)) this.runHere(execution);
  }

  async find(id: string): Promise<JobExecution> {
    const execution = await this.options.repository.findExecution(id);
    if (execution === undefined) throw new NoSuchJobExecutionError(id);
    return execution;
  }

  private async launch(
    job: JobDefinition<Tx>,
    parameters: JobParameters,
    { recoveries = 0, isFirst = false } = {},
  ): Promise<JobExecution> {
    const faults = (await job.validator?.(parameters)) ?? [];
    // The process that will run the job may be on another machine, with other files. It checks them itself.
    const unreadable = this.runsJobs ? await unreadableFiles(parameters) : [];
    if (faults.length + unreadable.length > 0) {
      throw new InvalidJobParametersError(job.name, [...faults, ...unreadable]);
    }
    const execution = await this.options.repository.createExecution({
      jobName: job.name,
      parameters,
      recoveries,
      owner: this.runsJobs ? this.owner : undefined,
      leaseMs: this.leaseMs,
      decide: (history) => {
        if (isFirst && history.length > 0) throw new StartedBeforeError();
        const decision = decideStart(job, history);
        const { restartAt } = decision;
        if (restartAt !== undefined && !hasPlace(job.flow, restartAt)) throw restartsNowhere(job.name, restartAt);
        return decision;
      },
    });
    if (this.runsJobs) this.runHere(execution);
    return execution;
  }

  /** Once for each execution: it is tried again and again, since a file may come back. */
  private tellOfRefusal({ id, jobName }: JobExecution, error: BatchError): void {
    const isQuicker =
      error instanceof JobExecutionAlreadyRunningError || error instanceof JobInstanceAlreadyCompleteError;
    if (isQuicker || this.refused.has(id)) return;
    this.refused.add(id);
    this.logger.warn({ message: 'An interrupted job cannot go on here', job: jobName, interrupted: id, err: error });
  }

  private runHere(execution: JobExecution): void {
    const job = this.options.registry.get(execution.jobName);
    const run: RunningExecution = {
      abort: new AbortController(),
      stopRequested: false,
      waitsFor: new Set(),
      ended: Promise.resolve(),
    };
    if (execution.status === 'STOPPING') stopByRequest(run);
    if (this.shutDown) run.abort.abort();
    run.ended = this.execute(job, execution, run).finally(() => this.running.delete(execution.id));
    // Who awaits the end is told by the repository.
    run.ended.catch((error: unknown) =>
      this.logger.error({ message: 'The end of a job could not be kept', job: job.name, err: error }),
    );
    this.running.set(execution.id, run);
  }

  private execute(job: JobDefinition<Tx>, execution: JobExecution, run: RunningExecution): Promise<void> {
    const { repository, transactionManager } = this.options;
    const { signal } = run.abort;
    return runJob(job, execution, {
      repository,
      transactionManager,
      signal,
      stop: () => stopByRequest(run),
      isInterrupted: () => this.shutDown && !run.stopRequested,
      leaseMs: this.leaseMs,
      commonListeners: this.options.listeners ?? new CommonListeners(),
      runJob: (name, parameters) => this.innerJobs.run({ id: execution.id, run }, name, parameters),
    });
  }

  /** Resolves when the execution has ended, or `leaves` answers true. */
  private async awaitEndUnless(id: string, pollMs: number, leaves: () => boolean): Promise<JobExecution> {
    // Another process has ended an execution that lost its lease. The repository knows how.
    await this.running.get(id)?.ended.catch((error: unknown) => {
      if (!(error instanceof LeaseLostError)) throw error;
    });
    for (;;) {
      const execution = await this.find(id);
      if (!isRunning(execution.status) || leaves()) return execution;
      await new Promise((resolve) => setTimeout(resolve, pollMs));
    }
  }

  private async renewLeases(): Promise<void> {
    if (this.running.size === 0) return;
    const renewed = await this.options.repository.renewLeases(this.owner, [...this.running.keys()], this.leaseMs);
    const kept = new Map(renewed.map((lease) => [lease.jobExecutionId, lease]));
    for (const [id, run] of this.running) {
      const lease = kept.get(id);
      if (lease?.stopRequested === true) stopByRequest(run);
      // Without its lease it cannot commit any more. Stopping it now ends it sooner.
      if (lease === undefined) run.abort.abort();
    }
  }
}

class StartedBeforeError extends Error {}

const restartsNowhere = (jobName: string, restartAt: string): JobRestartError =>
  new JobRestartError(
    `Job "${jobName}" cannot be restarted: it stopped before "${restartAt}", which it does not have any more. ` +
      'Put that step back, or start another instance.',
  );
