import { hash } from 'node:crypto';

/** Of operations of which nothing is known: callers without a key who give no `source`. */
export const ANONYMOUS = 0;

/**
 * Whose share of the backlog an operation takes: the caller's, or else the source's. A number, because each row of the backlog has
 * it. Two names may have the same number: they then have one share together, and nothing else follows from it.
 *
 * @param createdBy see `callerName`
 * @param source as the operation gives it: it has no colon, so it is never the name of a caller
 */
export function partyOf(createdBy: string | null | undefined, source: string | null | undefined): number {
  const name = createdBy ?? source;
  if (name === null || name === undefined) return ANONYMOUS;
  return Buffer.from(hash('sha256', name).slice(0, 8), 'hex').readInt32BE();
}

/** The same in SQL, of a row that has `created_by` and `source`. */
export const partySql = (row: string): string =>
  `coalesce(('x' || left(encode(sha256(convert_to(coalesce(${row}.created_by, ${row}.source), 'UTF8')), 'hex'), 8))::bit(32)::int4, ${ANONYMOUS})`;
