import { JobExecutionAlreadyRunningError, LeaseLostError, NoSuchJobExecutionError } from '../model/batch-error.js';
import { isRunning } from '../model/batch-status.js';
import { ExecutionContext } from '../model/execution-context.js';
import { ExitStatus } from '../model/exit-status.js';
import { JobExecution, type JobInstance } from '../model/job-execution.js';
import type { JobParameters } from '../model/job-parameters.js';
import { StepExecution } from '../model/step-execution.js';
import {
  JobRepository,
  type JobExecutionFilter,
  type NewJobExecution,
  type NewStepExecution,
  type RenewedLease,
  type SavedProgress,
  type StepHistory,
  type StepProgress,
  type StoredSkip,
} from './job-repository.js';
import type { MemoryTransaction } from './memory-transaction-manager.js';

interface StoredJob {
  execution: JobExecution;
  key: string;
  owner: string | undefined;
  leaseUntil: number;
  stopRequested: boolean;
}

/** Remembers as long as the process lives: for tests and for jobs that nobody restarts. */
export class MemoryJobRepository extends JobRepository<MemoryTransaction> {
  private jobs: StoredJob[] = [];
  private steps: StepExecution[] = [];
  private skips: (StoredSkip & { stepExecutionId: string })[] = [];
  private readonly instances = new Map<string, JobInstance>();
  private readonly fireTimes = new Map<string, Date>();
  private lastId = 0;

  async createExecution(request: NewJobExecution): Promise<JobExecution> {
    const { jobName, parameters, recoveries, owner, leaseMs, decide } = request;
    const key = keyOf(jobName, parameters);
    // Nothing is awaited from here on: another start would come between.
    const history = this.historyOf(key);
    const { context, restartAt } = decide(history);
    const running = history.find(({ status }) => isRunning(status));
    if (running !== undefined) throw new JobExecutionAlreadyRunningError(jobName, running.id);
    const instance = this.instances.get(key) ?? { id: this.nextId(), jobName };
    this.instances.set(key, instance);
    const id = this.nextId();
    const execution = new JobExecution(id, instance, parameters, new Date(), new ExecutionContext(context));
    execution.restartAt = restartAt;
    execution.recoveries = recoveries;
    this.jobs.push({
      execution: execution.copy(),
      key,
      owner,
      leaseUntil: owner === undefined ? Infinity : Date.now() + leaseMs,
      stopRequested: false,
    });
    return execution;
  }

  async createStepExecution({ jobExecutionId, stepName, context }: NewStepExecution): Promise<StepExecution> {
    if (!isRunning(this.stored(jobExecutionId).execution.status)) throw new LeaseLostError(stepName);
    const id = this.nextId();
    const step = new StepExecution(id, jobExecutionId, stepName, new Date(), new ExecutionContext(context));
    this.steps.push(step.copy());
    return step;
  }

  async saveProgress(tx: MemoryTransaction, progress: StepProgress): Promise<SavedProgress> {
    const { execution, contribution, counts, skipped, progress: share } = progress;
    const stored = this.runningStep(execution);
    const { stopRequested } = this.stored(execution.jobExecutionId);
    if (stored.version === execution.version + 1) return { alreadyCommitted: true, stopRequested };
    if (stored.version !== execution.version) throw new LeaseLostError(execution.stepName);
    const context = new ExecutionContext(execution.context.toJSON());
    // Another process may take the step over while the transaction is open.
    tx.beforeCommit(() => void this.runningStep(execution));
    tx.onCommit(() => {
      stored.add(contribution, counts);
      stored.rollbackCount = execution.rollbackCount;
      stored.progress = share ?? stored.progress;
      stored.context = context;
      stored.version += 1;
      for (const skip of skipped) {
        const id = this.nextId();
        this.skips.push({ ...skip, id, stepName: stored.stepName, at: new Date(), stepExecutionId: stored.id });
      }
    });
    return { alreadyCommitted: false, stopRequested };
  }

  async isSaved(_: MemoryTransaction, execution: StepExecution): Promise<boolean> {
    const { version } = this.runningStep(execution);
    if (version === execution.version) return false;
    if (version === execution.version + 1) return true;
    throw new LeaseLostError(execution.stepName);
  }

  async saveStep(execution: StepExecution, jobContext: ExecutionContext): Promise<void> {
    const stored = this.runningStep(execution);
    const { status, exitStatus, endedAt } = execution;
    if (stored.version === execution.version) {
      stored.copyCounters(execution);
      stored.progress = execution.progress;
      stored.context = new ExecutionContext(execution.context.toJSON());
    }
    stored.status = status;
    stored.exitStatus = exitStatus;
    stored.endedAt = endedAt;
    this.stored(execution.jobExecutionId).execution.context = new ExecutionContext(jobContext.toJSON());
  }

  async saveJob(execution: JobExecution): Promise<void> {
    const stored = this.stored(execution.id);
    if (!isRunning(stored.execution.status)) throw new LeaseLostError(execution.jobName, 'Job');
    stored.execution = execution.copy();
    stored.execution.interrupted &&= !stored.stopRequested;
    const hasOnlyStarted = execution.status === 'STARTING' || execution.status === 'STARTED';
    if (stored.stopRequested && hasOnlyStarted) stored.execution.status = 'STOPPING';
  }

  async renewLeases(owner: string, ids: readonly string[], leaseMs: number): Promise<RenewedLease[]> {
    const mine = this.jobs.filter(
      (job) => job.owner === owner && ids.includes(job.execution.id) && isRunning(job.execution.status),
    );
    for (const job of mine) job.leaseUntil = Date.now() + leaseMs;
    return mine.map(({ execution, stopRequested }) => ({ jobExecutionId: execution.id, stopRequested }));
  }

  async requestStop(id: string): Promise<boolean> {
    const job = this.stored(id);
    if (!isRunning(job.execution.status)) return false;
    job.stopRequested = true;
    job.execution.status = 'STOPPING';
    return true;
  }

  async abandon(id: string): Promise<boolean> {
    const { execution } = this.stored(id);
    if (isRunning(execution.status) || execution.status === 'COMPLETED') return false;
    execution.status = 'ABANDONED';
    execution.interrupted = false;
    return true;
  }

  async deleteInstances(ids: readonly string[]): Promise<number> {
    const running = this.jobs.filter(({ execution }) => isRunning(execution.status));
    const kept = new Set(running.map(({ execution }) => execution.instance.id));
    const gone = [...this.instances].filter(([, { id }]) => ids.includes(id) && !kept.has(id));
    this.deleteKeys(new Set(gone.map(([key]) => key)));
    return gone.length;
  }

  async failExpired(description: string): Promise<JobExecution[]> {
    const expired = this.jobs.filter((job) => isRunning(job.execution.status) && job.leaseUntil <= Date.now());
    for (const { execution, stopRequested } of expired) {
      fail(execution, description);
      execution.interrupted = !stopRequested;
      for (const step of this.steps) {
        if (step.jobExecutionId === execution.id && isRunning(step.status)) fail(step, description);
      }
    }
    return expired.map(({ execution }) => execution.copy());
  }

  async adopt(jobNames: readonly string[], owner: string, leaseMs: number): Promise<JobExecution[]> {
    const waiting = this.jobs.filter(
      (job) => job.owner === undefined && isRunning(job.execution.status) && jobNames.includes(job.execution.jobName),
    );
    for (const job of waiting) {
      job.owner = owner;
      job.leaseUntil = Date.now() + leaseMs;
    }
    return waiting.map(({ execution }) => execution.copy());
  }

  async interrupted(jobNames: readonly string[]): Promise<JobExecution[]> {
    const latest = new Map(this.jobs.map((job) => [job.key, job.execution]));
    return [...latest.values()]
      .filter(({ interrupted, jobName }) => interrupted && jobNames.includes(jobName))
      .map((execution) => execution.copy());
  }

  async hasProgressed({ id, instance }: JobExecution): Promise<boolean> {
    const earlier = this.jobs.map(({ execution }) => execution).filter((each) => each.instance.id === instance.id);
    const ids = new Set(earlier.map((each) => each.id).filter((each) => Number(each) < Number(id)));
    const complete = this.steps.filter(
      ({ jobExecutionId, status }) => ids.has(jobExecutionId) && status === 'COMPLETED',
    );
    const names = new Set(complete.map(({ stepName }) => stepName));
    return this.steps.some((step) => step.jobExecutionId === id && step.commitCount > 0 && !names.has(step.stepName));
  }

  async findExecution(id: string): Promise<JobExecution | undefined> {
    const job = this.jobs.find(({ execution }) => execution.id === id);
    return job && job.execution.copy();
  }

  async findExecutions({ jobName, before, limit }: JobExecutionFilter): Promise<JobExecution[]> {
    return this.jobs
      .map(({ execution }) => execution)
      .filter((execution) => jobName === undefined || execution.jobName === jobName)
      .filter(({ id }) => before === undefined || Number(id) < Number(before))
      .reverse()
      .slice(0, limit)
      .map((execution) => execution.copy());
  }

  async lastExecutions(jobNames: readonly string[]): Promise<JobExecution[]> {
    const latest = new Map(this.jobs.map(({ execution }) => [execution.jobName, execution]));
    return [...latest.values()]
      .filter(({ jobName }) => jobNames.includes(jobName))
      .map((execution) => execution.copy());
  }

  async executionsOf(jobName: string, parameters: JobParameters): Promise<JobExecution[]> {
    return this.historyOf(keyOf(jobName, parameters));
  }

  async stepExecutions(jobExecutionId: string): Promise<StepExecution[]> {
    return this.steps.filter((step) => step.jobExecutionId === jobExecutionId).map((step) => step.copy());
  }

  async stepHistory({ id }: JobInstance): Promise<Map<string, StepHistory>> {
    const executions = new Set(
      this.jobs.filter(({ execution }) => execution.instance.id === id).map(({ execution }) => execution.id),
    );
    const history = new Map<string, StepHistory>();
    for (const step of this.steps) {
      if (!executions.has(step.jobExecutionId)) continue;
      const starts = (history.get(step.stepName)?.starts ?? 0) + 1;
      history.set(step.stepName, { last: step.copy(), starts });
    }
    return history;
  }

  async skippedItems(jobExecutionId: string, page: { after?: string; limit: number }): Promise<StoredSkip[]> {
    const steps = new Set((await this.stepExecutions(jobExecutionId)).map(({ id }) => id));
    return this.skips
      .filter(({ stepExecutionId }) => steps.has(stepExecutionId))
      .filter(({ id }) => page.after === undefined || Number(id) > Number(page.after))
      .slice(0, page.limit)
      .map(({ stepExecutionId: _, ...skip }) => skip);
  }

  async deleteEndedBefore(before: Date): Promise<number> {
    const kept = new Set(this.jobs.filter(({ execution }) => !endedBefore(execution, before)).map(({ key }) => key));
    const { length } = this.jobs;
    this.deleteKeys(new Set([...this.instances.keys()].filter((key) => !kept.has(key))));
    return length - this.jobs.length;
  }

  async lastFireTime(jobName: string): Promise<Date | undefined> {
    return this.fireTimes.get(jobName);
  }

  async saveFirstFireTime(jobName: string, at: Date): Promise<boolean> {
    const isFirst = !this.fireTimes.has(jobName);
    if (isFirst) this.fireTimes.set(jobName, at);
    return isFirst;
  }

  async saveFireTime(jobName: string, at: Date): Promise<void> {
    const last = this.fireTimes.get(jobName);
    if (last === undefined || last < at) this.fireTimes.set(jobName, at);
  }

  private deleteKeys(keys: ReadonlySet<string>): void {
    for (const key of keys) this.instances.delete(key);
    this.jobs = this.jobs.filter(({ key }) => !keys.has(key));
    const jobs = new Set(this.jobs.map(({ execution }) => execution.id));
    this.steps = this.steps.filter(({ jobExecutionId }) => jobs.has(jobExecutionId));
    const steps = new Set(this.steps.map(({ id }) => id));
    this.skips = this.skips.filter(({ stepExecutionId }) => steps.has(stepExecutionId));
  }

  /** The latest first. */
  private historyOf(key: string): JobExecution[] {
    return this.jobs
      .filter((job) => job.key === key)
      .map(({ execution }) => execution.copy())
      .reverse();
  }

  private nextId(): string {
    this.lastId += 1;
    return String(this.lastId);
  }

  private stored(id: string): StoredJob {
    const job = this.jobs.find(({ execution }) => execution.id === id);
    if (job === undefined) throw new NoSuchJobExecutionError(id);
    return job;
  }

  private runningStep({ id, stepName }: StepExecution): StepExecution {
    const step = this.steps.find((each) => each.id === id);
    if (step === undefined || !isRunning(step.status)) throw new LeaseLostError(stepName);
    return step;
  }
}

const keyOf = (jobName: string, { key }: JobParameters): string => `${jobName} ${key}`;

const endedBefore = ({ status, endedAt }: JobExecution, before: Date): boolean =>
  !isRunning(status) && endedAt !== undefined && endedAt < before;

function fail(execution: JobExecution | StepExecution, description: string): void {
  execution.status = 'FAILED';
  execution.exitStatus = ExitStatus.FAILED.describedBy(description);
  execution.endedAt = new Date();
}
