/**
 * What to skip and to retry on PostgreSQL, for `skip` and `retry` of a step.
 *
 * Source: https://www.postgresql.org/docs/current/errcodes-appendix.html
 */

/** Data exception; constraint violation; a check option of a view; an error that a trigger or function raises. */
const DATA_CLASSES: ReadonlySet<string> = new Set(['22', '23', '44', 'P0']);
/** Connection lost; transaction rolled back; insufficient resources; shutdown or crash. */
const TRANSIENT = /^(08|40|53|57P|55P03)/;
const CONNECTION_CODES: ReadonlySet<string> = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'EPIPE',
  'ETIMEDOUT',
  'ENOTFOUND',
]);

/** True when PostgreSQL refuses the values of a row. Another row may be fine. */
export function isDataError(error: unknown): boolean {
  const state = sqlStateOf(error);
  return state !== undefined && DATA_CLASSES.has(state.slice(0, 2));
}

/** True when the same statement may succeed later: a deadlock, a lock that was not given in time, a lost connection. */
export function isTransientDatabaseError(error: unknown): boolean {
  const state = sqlStateOf(error);
  if (state !== undefined) return TRANSIENT.test(state);
  return error instanceof Error && 'code' in error && CONNECTION_CODES.has(String(error.code));
}

/** Undefined when PostgreSQL did not send the error. */
function sqlStateOf(error: unknown): string | undefined {
  // Only errors of the server have a severity.
  if (!(error instanceof Error) || !('severity' in error) || !('code' in error)) return undefined;
  return String(error.code);
}
