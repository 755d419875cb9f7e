import type { Blame } from '../../batch/isolate.js';
import { errorKind, sqlStateOf } from '../database/sql-state.js';

const BLAME = { transient: 'abort', systemic: 'all', operation: 'item' } as const satisfies Record<string, Blame>;

/** A statement that takes too long may do so for its many operations: only one that is alone is left to a later chunk. */
const STATEMENT_TIMEOUT = '57014';
/**
 * The statement was not even tried: an earlier one failed (in_failed_sql_transaction), or the one that should have prepared it
 * (invalid_sql_statement_name, duplicate_prepared_statement).
 */
const NOT_TRIED = ['25P02', '26000', '42P05'];

/** Whom an error of a statement with so many operations is to be blamed on. */
export function blameFor(error: unknown, operations: number): Blame {
  const state = sqlStateOf(error);
  if (state !== undefined && NOT_TRIED.includes(state)) return 'abort';
  if (state === STATEMENT_TIMEOUT && operations > 1) return 'many';
  return BLAME[errorKind(error)];
}
