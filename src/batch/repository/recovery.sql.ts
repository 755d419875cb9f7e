import type { SqlStatement } from '../../interfaces/sql.js';
import type { JobExecution } from '../model/job-execution.js';
import { RUNNING, type BatchTables } from './batch-tables.js';
import { JOB_COLUMNS } from './job-executions.sql.js';
import { toId } from './postgres-values.js';

/** Locks executions whose lease has expired. What others have locked is left to the next search. */
export const lockExpired = (tables: BatchTables): SqlStatement => ({
  text: `
    select e.id::text
    from ${tables.jobExecutions} e
    where e.status in ${RUNNING} and e.lease_until <= clock_timestamp()
    order by e.id
    for update skip locked`,
});

/**
 * Locks the running steps of these executions, and returns those executions of which a step is locked by somebody else: a process that
 * was paused may have saved progress in a transaction that is open. To wait for its end would hold up all other executions.
 *
 * It must not be one statement with the search: it has to see steps that began after that.
 */
export const lockStepsOfExpired = (tables: BatchTables, ids: readonly string[]): SqlStatement => ({
  text: `
    with locked as materialized (
      select s.id from ${tables.stepExecutions} s
      where s.job_execution_id = any($1::int8[]) and s.status in ${RUNNING}
      for update skip locked
    )
    select distinct s.job_execution_id::text as id
    from ${tables.stepExecutions} s
    where s.job_execution_id = any($1::int8[]) and s.status in ${RUNNING}
      and not exists (select from locked where locked.id = s.id)`,
  values: [ids],
});

export const failSteps = (tables: BatchTables, ids: readonly string[], description: string): SqlStatement => ({
  text: `
    update ${tables.stepExecutions}
    set status = 'FAILED', exit_code = 'FAILED', exit_description = $2::text, ended_at = clock_timestamp()
    where job_execution_id = any($1::int8[]) and status in ${RUNNING}`,
  values: [ids, description],
});

export const failExecutions = (tables: BatchTables, ids: readonly string[], description: string): SqlStatement => ({
  text: `
    update ${tables.jobExecutions} e
    set status = 'FAILED', exit_code = 'FAILED', exit_description = $2::text, interrupted = not stop_requested,
      ended_at = clock_timestamp()
    where e.id = any($1::int8[])
    returning ${JOB_COLUMNS}`,
  values: [ids, description],
});

/** See `JobRepository.hasProgressed`. */
export const selectHasProgressed = (tables: BatchTables, { id, instance }: JobExecution): SqlStatement => ({
  text: `
    select exists (
      select from ${tables.stepExecutions} s
      where s.job_execution_id = $1::int8 and s.commit_count > 0
        and not exists (
          select from ${tables.jobExecutions} e join ${tables.stepExecutions} earlier on earlier.job_execution_id = e.id
          where e.job_instance_id = $2::int8 and e.id < $1::int8
            and earlier.step_name = s.step_name and earlier.status = 'COMPLETED'
        )
    ) as "hasProgressed"`,
  values: [toId(id), toId(instance.id)],
});
