import type { SqlStatement } from '../database/sql.js';

/** Records are for messages that come back within moments; an older one is of a message that came no more. */
const KEPT_HOURS = 24;

export interface AttemptsRow {
  fingerprint: string;
  attempts: number;
}

/** How often each of these was begun without an end that is known; no row for one that never was. */
export function selectAttempts(fingerprints: readonly string[]): SqlStatement {
  return {
    name: 'batch.select_attempts',
    text: 'select fingerprint, attempts from batch.message_attempts where fingerprint = any($1::uuid[])',
    values: [fingerprints],
  };
}

/**
 * Counts one more attempt at each of these, and deletes records that are too old to be of use. Committed without waiting for
 * PostgreSQL's disk: what the record outlives is the death of a process of ours.
 */
export function beginAttempts(fingerprints: readonly string[]): SqlStatement {
  return {
    name: 'batch.begin_attempts',
    text: `
      with setting as materialized (select set_config('synchronous_commit', 'off', true)),
      expired as (
        delete from batch.message_attempts
        where last_at < now() - make_interval(hours => $2::int) and fingerprint <> all ($1::uuid[])
      )
      insert into batch.message_attempts (fingerprint, attempts, last_at)
      select distinct f, 1, now() from setting, unnest($1::uuid[]) f order by f
      on conflict (fingerprint) do update set attempts = message_attempts.attempts + 1, last_at = excluded.last_at`,
    values: [fingerprints, KEPT_HOURS],
  };
}

/** These have come to an end, or were not begun. */
export function concludeAttempts(fingerprints: readonly string[]): SqlStatement {
  return {
    name: 'batch.conclude_attempts',
    text: `
      with setting as materialized (select set_config('synchronous_commit', 'off', true))
      delete from batch.message_attempts using setting where fingerprint = any($1::uuid[])`,
    values: [fingerprints],
  };
}
