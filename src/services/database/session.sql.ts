import type { SqlStatement } from './sql.js';

export interface SessionTimeouts {
  /** 0: none. */
  statementTimeoutMs: number;
  lockTimeoutMs: number;
}

/**
 * What the code relies on. Roles, databases and servers may set each of these otherwise, and node-postgres asks for none of them.
 * TimeZone, IntervalStyle, the order of days and months, and search_path stay as they are set: triggers, defaults and values
 * without a time zone mean there what they mean to the other users of the tables.
 */
const PINNED: Readonly<Record<string, string>> = {
  // A claim has to see what was committed before it took its lanes.
  default_transaction_isolation: 'read committed',
  default_transaction_read_only: 'off',
  // Lists of values travel as arrays, in which NULL is no text.
  array_nulls: 'on',
  transform_null_equals: 'off',
  standard_conforming_strings: 'on',
  quote_all_identifiers: 'off',
  // Values are read as text, compared, and written again.
  bytea_output: 'hex',
  extra_float_digits: '1',
  // The driver reads no other. The order of days and months stays.
  datestyle: 'ISO',
  row_security: 'on',
  // The index of waiting rows must find all of them.
  gin_fuzzy_search_limit: '0',
  // Compiling a statement costs more than any of ours takes.
  jit: 'off',
  idle_session_timeout: '0',
  // Since PostgreSQL 17.
  transaction_timeout: '0',
};

/**
 * Sets what the service relies on for the whole session. As a statement, not as parameters of the start alone: what is weaker than
 * `on` becomes `on`, and `remote_apply`, which is stronger, stays.
 */
export function pinSession({ statementTimeoutMs, lockTimeoutMs }: SessionTimeouts): SqlStatement {
  const settings = {
    ...PINNED,
    statement_timeout: String(statementTimeoutMs),
    lock_timeout: String(lockTimeoutMs),
    idle_in_transaction_session_timeout: String(statementTimeoutMs),
  };
  return {
    // Qualified: a search_path may put functions of users before those of PostgreSQL.
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

/** What the server and its tables are, as far as promises of the service depend on it. */
export interface DatabaseFacts {
  fsync: string;
  fullPageWrites: string;
  synchronousCommit: string;
  sessionReplicationRole: string;
  inRecovery: boolean;
  /** Of the role that the session acts as. */
  superuser: boolean;
  /** Tables that a crash of the server empties. */
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
