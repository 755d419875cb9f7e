import type { SqlStatement } from '../../interfaces/sql.js';

export interface SessionTimeouts {
  /** 0: no limit. */
  statementTimeoutMs: number;
  lockTimeoutMs: number;
}

/**
 * The settings that the code relies on. Roles, databases and servers may set each of these differently, and
 * node-postgres sets none of them. TimeZone, IntervalStyle, the order of days and months, and search_path stay as they
 * are: triggers, defaults and values without a time zone must mean the same here as for other users of the tables.
 */
const PINNED: Readonly<Record<string, string>> = {
  // A claim has to see everything that was committed before it took its lanes.
  default_transaction_isolation: 'read committed',
  default_transaction_read_only: 'off',
  // Lists of values are sent as arrays, in which an unquoted NULL must not be a text.
  array_nulls: 'on',
  transform_null_equals: 'off',
  standard_conforming_strings: 'on',
  quote_all_identifiers: 'off',
  // Values are read as text, compared, and written again.
  bytea_output: 'hex',
  extra_float_digits: '1',
  // The driver reads no other format. The order of days and months stays as it is.
  datestyle: 'ISO',
  row_security: 'on',
  // The index of waiting rows must find all of them.
  gin_fuzzy_search_limit: '0',
  // Compiling takes longer than any statement of the service.
  jit: 'off',
  idle_session_timeout: '0',
  // Exists since PostgreSQL 17.
  transaction_timeout: '0',
};

/**
 * Sets what the service relies on, for the whole session. This needs a statement and not only start parameters: a
 * `synchronous_commit` weaker than `on` becomes `on`, and `remote_apply`, which is stronger, stays.
 */
export function pinSession({ statementTimeoutMs, lockTimeoutMs }: SessionTimeouts): SqlStatement {
  const settings = {
    ...PINNED,
    statement_timeout: String(statementTimeoutMs),
    lock_timeout: String(lockTimeoutMs),
    idle_in_transaction_session_timeout: String(statementTimeoutMs),
  };
  return {
    // The names are qualified, because a search_path may put users' functions before those of PostgreSQL.
    text: `
      select pg_catalog.set_config(name, value, false)
      from rows from (pg_catalog.unnest($1::text[]), pg_catalog.unnest($2::text[])) as pinned (name, value)
      where pg_catalog.current_setting(name, true) is not null
      union all
      select pg_catalog.set_config('synchronous_commit', 'on', false)
      where pg_catalog.current_setting('synchronous_commit') not in ('on', 'remote_apply')`,
    values: [Object.keys(settings), Object.values(settings)],
  };
}

export interface SeenMark {
  /** Null or empty: this session has none. */
  mark: string | null;
}

/** Sets a value that belongs to this session alone, and reads that of the session which executes it. */
export function markSession(mark: string): { set: SqlStatement; read: SqlStatement } {
  return {
    set: { text: `select pg_catalog.set_config('batch_service.session', $1, false)`, values: [mark] },
    read: { text: `select pg_catalog.current_setting('batch_service.session', true) as mark` },
  };
}

/** Facts about the server and its tables on which promises of the service depend. */
export interface DatabaseFacts {
  fsync: string;
  fullPageWrites: string;
  synchronousCommit: string;
  sessionReplicationRole: string;
  inRecovery: boolean;
  /** Of the role that the session acts as. */
  superuser: boolean;
  /** Tables that are emptied by a crash of the server. */
  unlogged: { schema: string; name: string }[];
}

export function selectDatabaseFacts(): SqlStatement {
  return {
    text: `
      select pg_catalog.current_setting('fsync') as fsync, pg_catalog.current_setting('full_page_writes') as "fullPageWrites",
        pg_catalog.current_setting('synchronous_commit') as "synchronousCommit",
        pg_catalog.current_setting('session_replication_role') as "sessionReplicationRole",
        pg_catalog.pg_is_in_recovery() as "inRecovery",
        (select rolsuper from pg_catalog.pg_roles where rolname = current_user) as superuser,
        (
          select coalesce(pg_catalog.json_agg(pg_catalog.json_build_object('schema', n.nspname, 'name', c.relname)
            order by n.nspname, c.relname), '[]')
          from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
          where c.relpersistence = 'u' and c.relkind in ('r', 'p')
        ) as unlogged`,
  };
}
