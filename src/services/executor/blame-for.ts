import type { Blame } from '../../batch/isolate.js';
import { isCanceled } from '../database/classify-failure.js';
import { toBlame } from '../database/to-blame.js';

/**
 * What an error of a statement with so many operations is blamed on. A statement may take too long because it has many
 * operations, so only an operation that runs alone is left to a later chunk.
 */
export function blameFor(error: unknown, operations: number): Blame {
  return operations > 1 && isCanceled(error) ? 'many' : toBlame(error);
}
