import type { SqlStatement } from './sql.js';

/** Of the process that migrates, for as long as its session lasts. */
const MIGRATION_LOCK = `hashtext('batch-service.migrations')`;

/**
 * Tried again and again, never waited for: a statement that waits holds a snapshot, and `create index concurrently` of the one who
 * has the lock would wait for that.
 */
export const tryMigrationLock = (): SqlStatement => ({
  text: `select pg_try_advisory_lock(${MIGRATION_LOCK}) as held`,
});

export const releaseMigrationLock = (): SqlStatement => ({ text: `select pg_advisory_unlock(${MIGRATION_LOCK})` });

/** A session as `describeSession` tells of it; its `query` only where the role may see it. */
export interface SessionRow {
  pid: number;
  application: string | null;
  user: string | null;
  state: string | null;
  /** Of its transaction, or else of its connection. */
  since: Date | null;
}

const SESSION = `a.pid, a.application_name as application, a.usename as "user", a.state, coalesce(a.xact_start, a.backend_start) as since`;

/** Who migrates. */
export function selectMigrationLockHolder(): SqlStatement {
  return {
    text: `
      select ${SESSION}
      from pg_locks l join pg_stat_activity a on a.pid = l.pid
      where l.locktype = 'advisory' and l.granted and l.objsubid = 1
        and l.database = (select oid from pg_database where datname = current_database())
        and (l.classid::int8 << 32) | l.objid::int8 = ${MIGRATION_LOCK}`,
  };
}

/** Who else holds locks on the service's tables, the oldest transactions first. */
export function selectTableLockHolders(): SqlStatement {
  return {
    text: `
      select distinct ${SESSION}
      from pg_locks l
      join pg_class c on c.oid = l.relation and c.relnamespace = to_regnamespace('batch')
      join pg_stat_activity a on a.pid = l.pid
      where l.locktype = 'relation' and l.granted and l.pid <> pg_backend_pid()
        and l.database = (select oid from pg_database where datname = current_database())
      order by since
      limit 3`,
  };
}

export function setLockTimeout(ms: number): SqlStatement {
  return { text: `select set_config('lock_timeout', $1, false)`, values: [String(Math.max(1, Math.ceil(ms)))] };
}

/** Not `if not exists`: that needs the right to create schemas even where there is nothing to create. */
export const hasSchema = (): SqlStatement => ({ text: `select to_regnamespace('batch') is not null as found` });
