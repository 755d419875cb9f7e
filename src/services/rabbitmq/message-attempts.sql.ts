import type { SqlStatement } from '../../interfaces/sql.js';

/** A message comes back within moments. An older record belongs to one that did not come back. */
const KEPT_HOURS = 24;

export interface AttemptsRow {
  fingerprint: string;
  attempts: number;
}

/** How often handling of each of these began without a known end. No row for a message that was never begun. */
export function selectAttempts(fingerprints: readonly string[]): SqlStatement {
  return {
    name: 'batch.select_attempts',
    text: 'select fingerprint, attempts from batch.message_attempts where fingerprint = any($1::uuid[])',
    values: [fingerprints],
  };
}

/**
 * Counts one more attempt at each of these, and deletes records that are too old to be useful. The commit does not wait
 * for PostgreSQL's disk: the record has to survive only the death of a process of the service.
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

/** Handling these messages has ended, or did not begin. */
export function concludeAttempts(fingerprints: readonly string[]): SqlStatement {
  return {
    name: 'batch.conclude_attempts',
    text: `
      with setting as materialized (select set_config('synchronous_commit', 'off', true))
      delete from batch.message_attempts using setting where fingerprint = any($1::uuid[])`,
    values: [fingerprints],
  };
}
