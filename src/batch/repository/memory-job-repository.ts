import { LeaseLostError, NoSuchJobExecutionError } from '../model/batch-error.js';
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
  owner: string;
  leaseUntil: number;
  stopRequested: boolean;
}

/** Remembers as long as the process lives: for tests and for jobs that nobody restarts. */
export class MemoryJobRepository extends JobRepository<MemoryTransaction> {
  private readonly jobs: StoredJob[] = [];
  private readonly steps: StepExecution[] = [];
  private readonly skips: (StoredSkip & { stepExecutionId: string })[] = [];
  private readonly instances = new Map<string, JobInstance>();
  private lastId = 0;

  async createExecution(request: NewJobExecution): Promise<JobExecution> {
    const { jobName, parameters, recoveries, owner, leaseMs, decide } = request;
    const history = await this.executionsOf(jobName, parameters);
    const { context, restartAt } = decide(history);
    const key = `${jobName} ${parameters.key}`;
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
      leaseUntil: Date.now() + leaseMs,
      stopRequested: false,
    });
    return execution;
  }

  async createStepExecution({ jobExecutionId, stepName, context }: NewStepExecution): Promise<StepExecution> {
    const id = this.nextId();
    const step = new StepExecution(id, jobExecutionId, stepName, new Date(), new ExecutionContext(context));
    this.steps.push(step.copy());
    return step;
  }

  async saveProgress(tx: MemoryTransaction, progress: StepProgress): Promise<SavedProgress> {
    const { execution, contribution, counts, skipped } = progress;
    const stored = this.runningStep(execution);
    const { stopRequested } = this.stored(execution.jobExecutionId);
    if (stored.version === execution.version + 1) return { alreadyCommitted: true, stopRequested };
    if (stored.version !== execution.version) throw new LeaseLostError(execution.stepName);
    const context = new ExecutionContext(execution.context.toJSON());
    tx.onCommit(() => {
      stored.add(contribution, counts);
      stored.rollbackCount = execution.rollbackCount;
      stored.context = context;
      stored.version += 1;
      for (const skip of skipped) {
        const id = this.nextId();
        this.skips.push({ ...skip, id, stepName: stored.stepName, at: new Date(), stepExecutionId: stored.id });
      }
    });
    return { alreadyCommitted: false, stopRequested };
  }

  async saveStep(execution: StepExecution): Promise<void> {
    const stored = this.runningStep(execution);
    const { status, exitStatus, endedAt } = execution;
    if (stored.version === execution.version) {
      stored.copyCounters(execution);
      stored.context = new ExecutionContext(execution.context.toJSON());
    }
    stored.status = status;
    stored.exitStatus = exitStatus;
    stored.endedAt = endedAt;
  }

  async saveJob(execution: JobExecution): Promise<void> {
    const stored = this.stored(execution.id);
    if (!isRunning(stored.execution.status)) throw new LeaseLostError(execution.jobName);
    stored.execution = execution.copy();
  }

  async renewLeases(owner: string, leaseMs: number): Promise<RenewedLease[]> {
    const mine = this.jobs.filter((job) => job.owner === owner && isRunning(job.execution.status));
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

  async failExpired(description: string): Promise<JobExecution[]> {
    const expired = this.jobs.filter((job) => isRunning(job.execution.status) && job.leaseUntil <= Date.now());
    for (const { execution } of expired) {
      fail(execution, description);
      execution.interrupted = true;
      for (const step of this.steps) {
        if (step.jobExecutionId === execution.id && isRunning(step.status)) fail(step, description);
      }
    }
    return expired.map(({ execution }) => execution.copy());
  }

  async interrupted(jobNames: readonly string[]): Promise<JobExecution[]> {
    const latest = new Map(this.jobs.map((job) => [job.key, job.execution]));
    return [...latest.values()]
      .filter(({ interrupted, jobName }) => interrupted && jobNames.includes(jobName))
      .map((execution) => execution.copy());
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

  async executionsOf(jobName: string, parameters: JobParameters): Promise<JobExecution[]> {
    const key = `${jobName} ${parameters.key}`;
    return this.jobs
      .filter((job) => job.key === key)
      .map(({ execution }) => execution.copy())
      .reverse();
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
    const ended = this.jobs.filter(({ execution }) => execution.endedAt !== undefined && execution.endedAt < before);
    for (const job of ended) this.jobs.splice(this.jobs.indexOf(job), 1);
    return ended.length;
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

function fail(execution: JobExecution | StepExecution, description: string): void {
  execution.status = 'FAILED';
  execution.exitStatus = ExitStatus.FAILED.describedBy(description);
  execution.endedAt = new Date();
}
