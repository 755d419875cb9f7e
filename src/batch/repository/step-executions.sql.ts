import type { SqlStatement } from '../../interfaces/sql.js';
import type { ExecutionContext } from '../model/execution-context.js';
import type { JobInstance } from '../model/job-execution.js';
import type { StepExecution } from '../model/step-execution.js';
import { RUNNING, type BatchTables } from './batch-tables.js';
import type { NewStepExecution, StepProgress } from './job-repository.js';
import { toId, toText } from './postgres-values.js';

const COLUMNS = `
      s.id::text, s.job_execution_id::text as "jobExecutionId", s.step_name as "stepName", s.status,
      s.exit_code as "exitCode", s.exit_description as "exitDescription",
      s.read_count::float8 as "readCount", s.write_count::float8 as "writeCount", s.filter_count::float8 as "filterCount",
      s.read_skip_count::float8 as "readSkipCount", s.process_skip_count::float8 as "processSkipCount",
      s.write_skip_count::float8 as "writeSkipCount", s.commit_count::float8 as "commitCount",
      s.rollback_count::float8 as "rollbackCount",
      s.progress, s.context::text, s.version, s.started_at as "startedAt", s.ended_at as "endedAt"`;

/**
 * Makes no row when the job execution does not run. The lock holds up a take-over until the step can be seen. It must be `for share`:
 * the weaker lock of the foreign key does not wait for a change of the status.
 */
export const insertStep = (
  tables: BatchTables,
  { jobExecutionId, stepName, context }: NewStepExecution,
): SqlStatement => ({
  text: `
    with running as materialized (
      select id from ${tables.jobExecutions} where id = $1::int8 and status in ${RUNNING} for share
    )
    insert into ${tables.stepExecutions} as s (job_execution_id, step_name, status, exit_code, context)
    select id, $2::text, 'STARTED', 'EXECUTING', $3::json from running
    returning ${COLUMNS}`,
  values: [toId(jobExecutionId), stepName, JSON.stringify(context)],
});

/**
 * Returns no row when the step does not run any more, or has another version. It is executed for every chunk, so it is one statement.
 *
 * @param context JSON text; null leaves the context as it is
 */
export function saveProgress(tables: BatchTables, progress: StepProgress, context: string | null): SqlStatement {
  const { execution, contribution, counts, skipped, progress: share = null } = progress;
  const { readCount, writeCount, filterCount, readSkipCount, processSkipCount, writeSkipCount } = contribution;
  return {
    name: `${tables.statementPrefix}.save_progress`,
    text: `
      with saved as (
        update ${tables.stepExecutions}
        set version = version + 1,
          read_count = read_count + $3::int8, write_count = write_count + $4::int8, filter_count = filter_count + $5::int8,
          read_skip_count = read_skip_count + $6::int8, process_skip_count = process_skip_count + $7::int8,
          write_skip_count = write_skip_count + $8::int8, commit_count = commit_count + $9::int8, rollback_count = $10::int8,
          context = coalesce($11::json, context), progress = coalesce($16::float8, progress)
        where id = $1::int8 and version = $2::int4 and status in ${RUNNING}
        returning id, job_execution_id
      ),
      skipped as (
        insert into ${tables.skippedItems} (step_execution_id, phase, item, error_name, message)
        select saved.id, skip.phase, skip.item, skip.error_name, skip.message
        from saved, unnest($12::text[], $13::text[], $14::text[], $15::text[])
          with ordinality as skip (phase, item, error_name, message, place)
        order by skip.place
      )
      select j.stop_requested as "stopRequested"
      from saved join ${tables.jobExecutions} j on j.id = saved.job_execution_id`,
    values: [
      toId(execution.id),
      execution.version,
      ...[readCount, writeCount, filterCount, readSkipCount, processSkipCount, writeSkipCount],
      counts ? 1 : 0,
      execution.rollbackCount,
      context,
      skipped.map(({ phase }) => phase),
      skipped.map(({ item }) => (item === null ? null : toText(item))),
      skipped.map(({ errorName }) => toText(errorName)),
      skipped.map(({ message }) => toText(message)),
      share,
    ],
  };
}

/** Why no progress could be saved. No row when the step does not run. */
export const selectRunningStep = (tables: BatchTables, id: string): SqlStatement => ({
  text: `
    select s.version, j.stop_requested as "stopRequested"
    from ${tables.stepExecutions} s join ${tables.jobExecutions} j on j.id = s.job_execution_id
    where s.id = $1::int8 and s.status in ${RUNNING}`,
  values: [toId(id)],
});

/** A greater version is that of a commit whose answer was lost: its counters, its progress and its context are the true ones. */
export function updateStep(tables: BatchTables, execution: StepExecution, jobContext: ExecutionContext): SqlStatement {
  const counters = [
    'read_count',
    'write_count',
    'filter_count',
    'read_skip_count',
    'process_skip_count',
    'write_skip_count',
    'commit_count',
    'rollback_count',
  ].map((column, index) => `${column} = case when version = $2::int4 then $${index + 7}::int8 else ${column} end`);
  return {
    text: `
      with ended as (
        update ${tables.stepExecutions}
        set status = $3::text, exit_code = $4::text, exit_description = $5::text,
          ended_at = case when $3::text not in ${RUNNING} then clock_timestamp() end,
          context = case when version = $2::int4 then $6::json else context end,
          progress = case when version = $2::int4 then $15::float8 else progress end,
          ${counters.join(',\n          ')}
        where id = $1::int8 and status in ${RUNNING}
        returning job_execution_id
      )
      update ${tables.jobExecutions} j
      set context = $16::json
      from ended
      where j.id = ended.job_execution_id`,
    values: [
      toId(execution.id),
      execution.version,
      execution.status,
      toText(execution.exitStatus.code),
      toText(execution.exitStatus.description),
      JSON.stringify(execution.context),
      ...[execution.readCount, execution.writeCount, execution.filterCount],
      ...[execution.readSkipCount, execution.processSkipCount, execution.writeSkipCount],
      ...[execution.commitCount, execution.rollbackCount, execution.progress ?? null],
      JSON.stringify(jobContext),
    ],
  };
}

/** In the order of their start. */
export const selectSteps = (tables: BatchTables, jobExecutionId: string): SqlStatement => ({
  text: `select ${COLUMNS} from ${tables.stepExecutions} s where s.job_execution_id = $1::int8 order by s.id`,
  values: [toId(jobExecutionId)],
});

/** The last execution of each step, with how often the step was started. */
export const selectStepHistory = (tables: BatchTables, { id }: JobInstance): SqlStatement => ({
  text: `
    select distinct on (s.step_name) ${COLUMNS}, count(*) over (partition by s.step_name)::int4 as starts
    from ${tables.jobExecutions} e join ${tables.stepExecutions} s on s.job_execution_id = e.id
    where e.job_instance_id = $1::int8
    order by s.step_name, s.id desc`,
  values: [toId(id)],
});

/** Each step gives a page of its index, and the page of the job execution is the first of all of these. */
export const selectSkippedItems = (
  tables: BatchTables,
  jobExecutionId: string,
  { after = '0', limit }: { after?: string; limit: number },
): SqlStatement => ({
  text: `
    select k.id::text, s.step_name as "stepName", k.phase, k.item, k.error_name as "errorName", k.message, k.at
    from ${tables.stepExecutions} s
    cross join lateral (
      select * from ${tables.skippedItems} k
      where k.step_execution_id = s.id and k.id > $2::int8
      order by k.id
      limit $3::int8
    ) k
    where s.job_execution_id = $1::int8
    order by k.id
    limit $3::int8`,
  values: [toId(jobExecutionId), toId(after), limit],
});
