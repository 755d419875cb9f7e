import type { Blame } from '../../batch/isolate.js';
import { isCanceled } from '../database/classify-failure.js';
import { toBlame } from '../database/to-blame.js';

/**
 * Whom an error of a statement with so many operations is to be blamed on. A statement that takes too long may do so for its
 * many operations: only one that is alone is left to a later chunk.
 */
export function blameFor(error: unknown, operations: number): Blame {
  return operations > 1 && isCanceled(error) ? 'many' : toBlame(error);
}
