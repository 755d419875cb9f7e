import { hash } from 'node:crypto';

/** The party of operations that have neither a known caller nor a `source`. */
export const ANONYMOUS = 0;

/**
 * The party whose share of the backlog an operation uses: its caller, or else its source. It is a number, because every
 * row of the backlog has it. If two names have the same number, they only use one share together.
 *
 * @param createdBy see `callerName`
 * @param source as the operation gives it; it contains no colon, so it never equals the name of a caller
 */
export function partyOf(createdBy: string | null | undefined, source: string | null | undefined): number {
  const name = createdBy ?? source;
  if (name === null || name === undefined) return ANONYMOUS;
  return Buffer.from(hash('sha256', name).slice(0, 8), 'hex').readInt32BE();
}

/** The same in SQL, for a row with `created_by` and `source`. */
export const partySql = (row: string): string =>
  `coalesce(('x' || left(encode(sha256(convert_to(coalesce(${row}.created_by, ${row}.source), 'UTF8')), 'hex'), 8))::bit(32)::int4, ${ANONYMOUS})`;
