import type { SqlStatement } from '../../interfaces/sql.js';
import type { BatchTables } from './batch-tables.js';

/**
 * Locks instances all of whose executions ended before, those first that were started longest ago. Nobody can start them until the end of
 * the transaction.
 */
export const lockInstancesEndedBefore = (tables: BatchTables, before: Date, limit: number): SqlStatement => ({
  text: `
    select i.id::text
    from ${tables.jobInstances} i
    where i.last_started_at < $1::timestamptz and ${NO_LATER(tables, 'i.id')}
    order by i.last_started_at
    limit $2::int4
    for update of i skip locked`,
  values: [before, limit],
});

/** Sees what was started before the lock was given. Steps and skipped items go with their executions. */
export const deleteExecutions = (tables: BatchTables, instanceIds: readonly string[], before: Date): SqlStatement => ({
  text: `
    delete from ${tables.jobExecutions} d
    where d.job_instance_id = any($2::int8[]) and ${NO_LATER(tables, 'd.job_instance_id')}`,
  values: [before, instanceIds],
});

export const deleteEmptyInstances = (tables: BatchTables, instanceIds: readonly string[]): SqlStatement => ({
  text: `
    delete from ${tables.jobInstances} i
    where i.id = any($1::int8[])
      and not exists (select from ${tables.jobExecutions} e where e.job_instance_id = i.id)`,
  values: [instanceIds],
});

/** An execution that runs has not ended. */
const NO_LATER = ({ jobExecutions }: BatchTables, instanceId: string): string =>
  `not exists (
        select from ${jobExecutions} e
        where e.job_instance_id = ${instanceId} and (e.ended_at is null or e.ended_at >= $1::timestamptz)
      )`;
