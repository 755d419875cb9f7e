import type { SqlStatement } from './sql.js';

/** The advisory lock of the process that migrates. It is held until the session ends. */
const MIGRATION_LOCK = `hashtext('batch-service.migrations')`;

/**
 * Callers try this lock again and again and never wait for it. A waiting statement holds a snapshot, and `create index
 * concurrently` of the lock's holder would wait for that snapshot.
 */
export const tryMigrationLock = (): SqlStatement => ({
  text: `select pg_try_advisory_lock(${MIGRATION_LOCK}) as held`,
});

export const releaseMigrationLock = (): SqlStatement => ({ text: `select pg_advisory_unlock(${MIGRATION_LOCK})` });

/** A session as `describeSession` describes it. `query` is null when the role may not see it. */
export interface SessionRow {
  pid: number;
  application: string | null;
  user: string | null;
  state: string | null;
  /** The start of its transaction, or else of its connection. */
  since: Date | null;
}

const SESSION = `a.pid, a.application_name as application, a.usename as "user", a.state, coalesce(a.xact_start, a.backend_start) as since`;

/** The session that migrates. */
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

/** Other sessions that hold locks on the service's tables, the oldest transactions first. */
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

/** Not `create schema if not exists`: that needs the right to create schemas even when the schema exists. */
export const hasSchema = (): SqlStatement => ({ text: `select to_regnamespace('batch') is not null as found` });
