import type { SqlStatement } from '../../interfaces/sql.js';
import type { JobExecution } from '../model/job-execution.js';
import { RUNNING, type BatchTables } from './batch-tables.js';
import type { JobExecutionFilter, NewJobExecution } from './job-repository.js';
import { toId, toText } from './postgres-values.js';

/** A `JobRow`, of `job_executions e`. */
export const JOB_COLUMNS = `
      e.id::text, e.job_instance_id::text as "instanceId", e.job_name as "jobName", e.status,
      e.exit_code as "exitCode", e.exit_description as "exitDescription",
      e.parameters::text, e.context::text, e.restart_at as "restartAt", e.interrupted, e.recoveries,
      e.created_at as "createdAt", e.started_at as "startedAt", e.ended_at as "endedAt"`;

/** Locks the row of the instance until the end of the transaction: starts of one instance happen one after the other. */
export const lockInstance = (tables: BatchTables, { jobName, parameters }: NewJobExecution): SqlStatement => ({
  text: `
    insert into ${tables.jobInstances} (job_name, job_key) values ($1::text, $2::text)
    on conflict (job_name, job_key) do update set last_started_at = now()
    returning id::text`,
  values: [jobName, parameters.key],
});

/** The latest first. */
export const selectExecutionsOfInstance = (tables: BatchTables, instanceId: string): SqlStatement => ({
  text: `
    select ${JOB_COLUMNS}
    from ${tables.jobExecutions} e
    where e.job_instance_id = $1::int8
    order by e.id desc`,
  values: [instanceId],
});

/** The lease begins now, not with the transaction: that may have waited for the instance. */
export const insertExecution = (
  tables: BatchTables,
  instanceId: string,
  { jobName, parameters, recoveries, owner, leaseMs }: NewJobExecution,
  { context, restartAt }: { context: string; restartAt: string | undefined },
): SqlStatement => ({
  text: `
    insert into ${tables.jobExecutions} as e
      (job_instance_id, job_name, status, exit_code, parameters, context, restart_at, recoveries, owner, lease_until)
    values ($1::int8, $2::text, 'STARTING', 'EXECUTING', $3::json, $4::json, $5::text, $6::int4, $7::text,
      case when $7::text is null then 'infinity' else clock_timestamp() + $8::float8 * interval '1 ms' end)
    on conflict (job_instance_id) where status in ${RUNNING} do nothing
    returning ${JOB_COLUMNS}`,
  values: [
    instanceId,
    jobName,
    JSON.stringify(parameters.toJSON()),
    context,
    restartAt ?? null,
    recoveries,
    owner ?? null,
    leaseMs,
  ],
});

export const selectRunningId = (tables: BatchTables, instanceId: string): SqlStatement => ({
  text: `select id::text from ${tables.jobExecutions} where job_instance_id = $1::int8 and status in ${RUNNING}`,
  values: [instanceId],
});

/** Changes no row when the execution does not run any more, or belongs to another process. */
export const updateExecution = (
  tables: BatchTables,
  { id, status, exitStatus, context, restartAt, interrupted }: JobExecution,
  owner: string | null,
): SqlStatement => ({
  text: `
    update ${tables.jobExecutions}
    set status = case when stop_requested and $3::text in ('STARTING', 'STARTED') then 'STOPPING' else $3::text end,
      exit_code = $4::text, exit_description = $5::text, context = $6::json, restart_at = $7::text,
      interrupted = $8::bool and not stop_requested,
      started_at = case when $3::text <> 'STARTING' then coalesce(started_at, clock_timestamp()) end,
      ended_at = case when $3::text not in ${RUNNING} then clock_timestamp() end
    where id = $1::int8 and owner = $2::text and status in ${RUNNING}`,
  values: [
    toId(id),
    owner,
    status,
    toText(exitStatus.code),
    toText(exitStatus.description),
    JSON.stringify(context),
    restartAt ?? null,
    interrupted,
  ],
});

/** Executions, steps and skipped items go with them. */
export const deleteInstances = (tables: BatchTables, ids: readonly string[]): SqlStatement => ({
  text: `
    delete from ${tables.jobInstances} i
    where i.id = any($1::int8[])
      and not exists (select from ${tables.jobExecutions} e where e.job_instance_id = i.id and e.status in ${RUNNING})`,
  values: [ids],
});

export const renewLeases = (
  tables: BatchTables,
  owner: string,
  ids: readonly string[],
  leaseMs: number,
): SqlStatement => ({
  text: `
    update ${tables.jobExecutions} set lease_until = clock_timestamp() + $2::float8 * interval '1 ms'
    where id = any($3::int8[]) and owner = $1::text and status in ${RUNNING}
    returning id::text as "jobExecutionId", stop_requested as "stopRequested"`,
  values: [owner, leaseMs, ids],
});

/** Two processes that search at the same time get different ones. */
export const adoptExecutions = (
  tables: BatchTables,
  jobNames: readonly string[],
  owner: string,
  leaseMs: number,
): SqlStatement => ({
  text: `
    with waiting as materialized (
      select id from ${tables.jobExecutions}
      where owner is null and status in ${RUNNING} and job_name = any($1::text[])
      order by id
      for update skip locked
    ), adopted as (
      update ${tables.jobExecutions} e
      set owner = $2::text, lease_until = clock_timestamp() + $3::float8 * interval '1 ms'
      from waiting where e.id = waiting.id
      returning ${JOB_COLUMNS}
    )
    select * from adopted order by id::int8`,
  values: [jobNames, owner, leaseMs],
});

/** What became of a change that may be refused. */
export interface Change {
  found: boolean;
  changed: boolean;
}

export const requestStop = (tables: BatchTables, id: string): SqlStatement => ({
  text: `
    with changed as (
      update ${tables.jobExecutions} set stop_requested = true, status = 'STOPPING'
      where id = $1::int8 and status in ${RUNNING}
      returning 1
    )
    select exists (select from changed) as changed,
      exists (select from ${tables.jobExecutions} where id = $1::int8) as found`,
  values: [toId(id)],
});

export const abandonExecution = (tables: BatchTables, id: string): SqlStatement => ({
  text: `
    with changed as (
      update ${tables.jobExecutions} set status = 'ABANDONED', interrupted = false
      where id = $1::int8 and status not in ${RUNNING} and status <> 'COMPLETED'
      returning 1
    )
    select exists (select from changed) as changed,
      exists (select from ${tables.jobExecutions} where id = $1::int8) as found`,
  values: [toId(id)],
});

/** The latest of their instances only. */
export const selectInterrupted = (tables: BatchTables, jobNames: readonly string[]): SqlStatement => ({
  text: `
    select ${JOB_COLUMNS}
    from ${tables.jobExecutions} e
    where e.interrupted and e.job_name = any($1::text[])
      and not exists (
        select from ${tables.jobExecutions} later where later.job_instance_id = e.job_instance_id and later.id > e.id
      )
    order by e.id`,
  values: [jobNames],
});

export const selectExecution = (tables: BatchTables, id: string): SqlStatement => ({
  text: `select ${JOB_COLUMNS} from ${tables.jobExecutions} e where e.id = $1::int8`,
  values: [toId(id)],
});

const MAX_ID = '9223372036854775807';

/** The latest first. */
export function selectExecutions(tables: BatchTables, { jobName, before, limit }: JobExecutionFilter): SqlStatement {
  const ofJob = jobName === undefined ? '' : 'and e.job_name = $3::text';
  return {
    text: `
      select ${JOB_COLUMNS}
      from ${tables.jobExecutions} e
      where e.id < $1::int8 ${ofJob}
      order by e.id desc
      limit $2::int8`,
    values: [before === undefined ? MAX_ID : toId(before), limit, ...(jobName === undefined ? [] : [jobName])],
  };
}

/** Each job gives the last entry of its part of the index. */
export const selectLastExecutions = (tables: BatchTables, jobNames: readonly string[]): SqlStatement => ({
  text: `
    select e.*
    from unnest($1::text[]) as job (name)
    cross join lateral (
      select ${JOB_COLUMNS} from ${tables.jobExecutions} e where e.job_name = job.name order by e.id desc limit 1
    ) e`,
  values: [jobNames],
});

/** The latest first. */
export const selectExecutionsByKey = (tables: BatchTables, jobName: string, key: string): SqlStatement => ({
  text: `
    select ${JOB_COLUMNS}
    from ${tables.jobInstances} i join ${tables.jobExecutions} e on e.job_instance_id = i.id
    where i.job_name = $1::text and i.job_key = $2::text
    order by e.id desc`,
  values: [jobName, key],
});
