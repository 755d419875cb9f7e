import type { Blame } from '../../batch/isolate.js';
import { sqlStateOf } from '../database/sql-state.js';
import { toBlame } from '../database/to-blame.js';

/** A statement that takes too long may do so for its many operations: only one that is alone is left to a later chunk. */
const STATEMENT_TIMEOUT = '57014';

/** Whom an error of a statement with so many operations is to be blamed on. */
export function blameFor(error: unknown, operations: number): Blame {
  return operations > 1 && sqlStateOf(error) === STATEMENT_TIMEOUT ? 'many' : toBlame(error);
}
