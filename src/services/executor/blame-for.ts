import type { Blame } from '../../batch/isolate.js';
import { errorKind, sqlStateOf } from '../database/sql-state.js';

const BLAME = { transient: 'abort', systemic: 'all', operation: 'item' } as const satisfies Record<string, Blame>;

/** A statement that takes too long may do so for its many operations: only one that is alone is left to a later chunk. */
const STATEMENT_TIMEOUT = '57014';

/** Whom an error of a statement with so many operations is to be blamed on. */
export function blameFor(error: unknown, operations: number): Blame {
  if (operations > 1 && sqlStateOf(error) === STATEMENT_TIMEOUT) return 'many';
  return BLAME[errorKind(error)];
}
