import type { SqlClient, SqlDatabase } from '../../interfaces/sql.js';
import { JobExecutionAlreadyRunningError, LeaseLostError, NoSuchJobExecutionError } from '../model/batch-error.js';
import { isRunning } from '../model/batch-status.js';
import type { ExecutionContext } from '../model/execution-context.js';
import type { JobExecution, JobInstance } from '../model/job-execution.js';
import type { JobParameters } from '../model/job-parameters.js';
import type { StepExecution } from '../model/step-execution.js';
import { batchTables, type BatchTables } from './batch-tables.js';
import * as jobs from './job-executions.sql.js';
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
import { toJobExecution, toStepExecution, type JobRow, type StepRow } from './postgres-rows.js';
import { toText } from './postgres-values.js';
import * as recovery from './recovery.sql.js';
import * as retention from './retention.sql.js';
import * as schedule from './scheduled-jobs.sql.js';
import { DEFAULT_BATCH_SCHEMA } from './schema.js';
import * as steps from './step-executions.sql.js';

/** An instance may have many thousands of skipped items, which are deleted with it. */
const INSTANCES_PER_TRANSACTION = 20;

/** The context that the row of a step has when the step has this version. */
interface SavedContext {
  version: number;
  json: string;
}

/**
 * Remembers in PostgreSQL, in the tables that `migrateBatchSchema` makes. Leases and times are those of the database's clock, so processes
 * need no equal clocks. It expects transactions at READ COMMITTED. At a higher level a take-over is refused as a
 * serialization failure: nothing wrong is stored either.
 */
export class PostgresJobRepository extends JobRepository<SqlClient> {
  private readonly tables: BatchTables;
  /** Of running executions that this process has made, by id. */
  private readonly owners = new Map<string, string>();
  private readonly savedContexts = new WeakMap<StepExecution, SavedContext>();

  constructor(
    private readonly database: SqlDatabase,
    { schema = DEFAULT_BATCH_SCHEMA }: { schema?: string } = {},
  ) {
    super();
    this.tables = batchTables(schema);
  }

  async createExecution(request: NewJobExecution): Promise<JobExecution> {
    const { jobName, owner, decide } = request;
    const execution = await this.database.transaction(async (tx) => {
      const [instance] = (await tx.query<JobInstance>(jobs.lockInstance(this.tables, request))).rows;
      const { id } = instance!;
      const history = await tx.query<JobRow>(jobs.selectExecutionsOfInstance(this.tables, id));
      const { context, restartAt } = decide(history.rows.map(toJobExecution));
      const decision = { context: JSON.stringify(context), restartAt };
      const [row] = (await tx.query<JobRow>(jobs.insertExecution(this.tables, id, request, decision))).rows;
      if (row !== undefined) return toJobExecution(row);
      const [running] = (await tx.query<{ id: string }>(jobs.selectRunningId(this.tables, id))).rows;
      throw new JobExecutionAlreadyRunningError(jobName, running?.id);
    });
    if (owner !== undefined) this.owners.set(execution.id, owner);
    return execution;
  }

  async createStepExecution(request: NewStepExecution): Promise<StepExecution> {
    const { jobExecutionId, stepName } = request;
    const [row] = (await this.database.query<StepRow>(steps.insertStep(this.tables, request))).rows;
    if (row !== undefined) {
      const execution = toStepExecution(row);
      this.savedContexts.set(execution, { version: execution.version, json: JSON.stringify(execution.context) });
      return execution;
    }
    if ((await this.findExecution(jobExecutionId)) === undefined) throw new NoSuchJobExecutionError(jobExecutionId);
    throw new LeaseLostError(stepName);
  }

  async saveProgress(tx: SqlClient, progress: StepProgress): Promise<SavedProgress> {
    const { execution } = progress;
    const json = JSON.stringify(execution.context);
    const saved = this.savedContexts.get(execution);
    const isSaved = saved?.version === execution.version && saved.json === json;
    const statement = steps.saveProgress(this.tables, progress, isSaved ? null : json);
    const [row] = (await tx.query<{ stopRequested: boolean }>(statement)).rows;
    if (row === undefined) return this.alreadySaved(tx, execution);
    // It is true with the commit. After a rollback the execution still has the version before.
    this.savedContexts.set(execution, { version: execution.version + 1, json });
    return { alreadyCommitted: false, stopRequested: row.stopRequested };
  }

  async isSaved(tx: SqlClient, { id, version, stepName }: StepExecution): Promise<boolean> {
    const [row] = (await tx.query<{ version: number }>(steps.selectRunningStep(this.tables, id))).rows;
    if (row?.version === version) return false;
    if (row?.version === version + 1) return true;
    throw new LeaseLostError(stepName);
  }

  async saveStep(execution: StepExecution, jobContext: ExecutionContext): Promise<void> {
    this.savedContexts.delete(execution);
    const { rowCount } = await this.database.query(steps.updateStep(this.tables, execution, jobContext));
    if (rowCount === 0) throw new LeaseLostError(execution.stepName);
  }

  async saveJob(execution: JobExecution): Promise<void> {
    const { id, jobName, status } = execution;
    const { rowCount } = await this.database.query(
      jobs.updateExecution(this.tables, execution, this.owners.get(id) ?? null),
    );
    if (rowCount === 0 || !isRunning(status)) this.owners.delete(id);
    if (rowCount === 0) throw new LeaseLostError(jobName, 'Job');
  }

  async renewLeases(owner: string, ids: readonly string[], leaseMs: number): Promise<RenewedLease[]> {
    return (await this.database.query<RenewedLease>(jobs.renewLeases(this.tables, owner, ids, leaseMs))).rows;
  }

  async requestStop(id: string): Promise<boolean> {
    return isChanged(id, (await this.database.query<jobs.Change>(jobs.requestStop(this.tables, id))).rows);
  }

  async abandon(id: string): Promise<boolean> {
    return isChanged(id, (await this.database.query<jobs.Change>(jobs.abandonExecution(this.tables, id))).rows);
  }

  async deleteInstances(ids: readonly string[]): Promise<number> {
    const { rowCount } = await this.database.query(jobs.deleteInstances(this.tables, ids));
    return rowCount ?? 0;
  }

  async failExpired(description: string): Promise<JobExecution[]> {
    const text = toText(description);
    return this.database.transaction(async (tx) => {
      const expired = idsOf((await tx.query<HasId>(recovery.lockExpired(this.tables))).rows);
      if (expired.length === 0) return [];
      const busy = new Set(idsOf((await tx.query<HasId>(recovery.lockStepsOfExpired(this.tables, expired))).rows));
      const taken = expired.filter((id) => !busy.has(id));
      await tx.query(recovery.failSteps(this.tables, taken, text));
      return (await tx.query<JobRow>(recovery.failExecutions(this.tables, taken, text))).rows.map(toJobExecution);
    });
  }

  async adopt(jobNames: readonly string[], owner: string, leaseMs: number): Promise<JobExecution[]> {
    const { rows } = await this.database.query<JobRow>(jobs.adoptExecutions(this.tables, jobNames, owner, leaseMs));
    for (const { id } of rows) this.owners.set(id, owner);
    return rows.map(toJobExecution);
  }

  async interrupted(jobNames: readonly string[]): Promise<JobExecution[]> {
    const { rows } = await this.database.query<JobRow>(jobs.selectInterrupted(this.tables, jobNames));
    return rows.map(toJobExecution);
  }

  async hasProgressed(execution: JobExecution): Promise<boolean> {
    const statement = recovery.selectHasProgressed(this.tables, execution);
    return (await this.database.query<{ hasProgressed: boolean }>(statement)).rows[0]!.hasProgressed;
  }

  async findExecution(id: string): Promise<JobExecution | undefined> {
    const [row] = (await this.database.query<JobRow>(jobs.selectExecution(this.tables, id))).rows;
    return row && toJobExecution(row);
  }

  async findExecutions(filter: JobExecutionFilter): Promise<JobExecution[]> {
    const { rows } = await this.database.query<JobRow>(jobs.selectExecutions(this.tables, filter));
    return rows.map(toJobExecution);
  }

  async lastExecutions(jobNames: readonly string[]): Promise<JobExecution[]> {
    const { rows } = await this.database.query<JobRow>(jobs.selectLastExecutions(this.tables, jobNames));
    return rows.map(toJobExecution);
  }

  async executionsOf(jobName: string, { key }: JobParameters): Promise<JobExecution[]> {
    const { rows } = await this.database.query<JobRow>(jobs.selectExecutionsByKey(this.tables, jobName, key));
    return rows.map(toJobExecution);
  }

  async stepExecutions(jobExecutionId: string): Promise<StepExecution[]> {
    const { rows } = await this.database.query<StepRow>(steps.selectSteps(this.tables, jobExecutionId));
    return rows.map(toStepExecution);
  }

  async stepHistory(instance: JobInstance): Promise<Map<string, StepHistory>> {
    const statement = steps.selectStepHistory(this.tables, instance);
    const { rows } = await this.database.query<StepRow & { starts: number }>(statement);
    return new Map(rows.map((row) => [row.stepName, { last: toStepExecution(row), starts: row.starts }]));
  }

  async skippedItems(jobExecutionId: string, page: { after?: string; limit: number }): Promise<StoredSkip[]> {
    return (await this.database.query<StoredSkip>(steps.selectSkippedItems(this.tables, jobExecutionId, page))).rows;
  }

  async deleteEndedBefore(before: Date, signal?: AbortSignal): Promise<number> {
    let deleted = 0;
    for (let more = true; more && signal?.aborted !== true;) {
      const step = await this.database.transaction((tx) => this.deleteSome(tx, before));
      deleted += step.executions;
      more = step.instances === INSTANCES_PER_TRANSACTION;
    }
    return deleted;
  }

  async lastFireTime(jobName: string): Promise<Date | undefined> {
    const { rows } = await this.database.query<{ at: Date }>(schedule.selectFireTime(this.tables, jobName));
    return rows[0]?.at;
  }

  async saveFirstFireTime(jobName: string, at: Date): Promise<boolean> {
    const { rowCount } = await this.database.query(schedule.insertFireTime(this.tables, jobName, at));
    return rowCount === 1;
  }

  async saveFireTime(jobName: string, at: Date): Promise<void> {
    await this.database.query(schedule.upsertFireTime(this.tables, jobName, at));
  }

  private async deleteSome(tx: SqlClient, before: Date): Promise<{ instances: number; executions: number }> {
    const lock = retention.lockInstancesEndedBefore(this.tables, before, INSTANCES_PER_TRANSACTION);
    const ids = idsOf((await tx.query<HasId>(lock)).rows);
    if (ids.length === 0) return { instances: 0, executions: 0 };
    const { rowCount } = await tx.query(retention.deleteExecutions(this.tables, ids, before));
    await tx.query(retention.deleteEmptyInstances(this.tables, ids));
    return { instances: ids.length, executions: rowCount ?? 0 };
  }

  /** Why no progress could be saved: it was saved before, or the step is not this process's any more. */
  private async alreadySaved(tx: SqlClient, { id, version, stepName }: StepExecution): Promise<SavedProgress> {
    const statement = steps.selectRunningStep(this.tables, id);
    const [row] = (await tx.query<{ version: number; stopRequested: boolean }>(statement)).rows;
    if (row?.version !== version + 1) throw new LeaseLostError(stepName);
    return { alreadyCommitted: true, stopRequested: row.stopRequested };
  }
}

interface HasId {
  id: string;
}

const idsOf = (rows: readonly HasId[]): string[] => rows.map(({ id }) => id);

/** @throws NoSuchJobExecutionError */
function isChanged(id: string, [change]: readonly jobs.Change[]): boolean {
  if (change?.found !== true) throw new NoSuchJobExecutionError(id);
  return change.changed;
}
