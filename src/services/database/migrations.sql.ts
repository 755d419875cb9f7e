import type { SqlStatement } from '../../interfaces/sql.js';

/** The advisory lock of the process that migrates. It is held until the session ends. */
const MIGRATION_LOCK = `hashtext('batch-service.migrations')`;

/** Callers repeat this, so they can log whom they wait for. A statement that waits would hold a snapshot. */
export const tryMigrationLock = (): SqlStatement => ({
  text: `select pg_try_advisory_lock(${MIGRATION_LOCK}) as held`,
});

export const releaseMigrationLock = (): SqlStatement => ({ text: `select pg_advisory_unlock(${MIGRATION_LOCK})` });

/** A session that holds the lock. A field is null when the role may not see it. */
export interface SessionRow {
  pid: number;
  application: string | null;
  user: string | null;
  state: string | null;
  /** The start of its transaction, or else of its connection. */
  since: Date | null;
}

/** The session that migrates. */
export function selectMigrationLockHolder(): SqlStatement {
  return {
    text: `
      select a.pid, a.application_name as application, a.usename as "user", a.state, coalesce(a.xact_start, a.backend_start) as since
      from pg_locks l join pg_stat_activity a on a.pid = l.pid
      where l.locktype = 'advisory' and l.granted and l.objsubid = 1
        and l.database = (select oid from pg_database where datname = current_database())
        and (l.classid::int8 << 32) | l.objid::int8 = ${MIGRATION_LOCK}`,
  };
}

/** Not `create schema if not exists`: that needs the right to create schemas even when the schema exists. */
export const hasSchema = (): SqlStatement => ({ text: `select to_regnamespace('batch') is not null as found` });
