import { TransientError } from '../errors/transient-error.js';

/**
 * The catalog was wrong about a table: a statement with several rows changed more or fewer rows. Its result must not stay. The chunk
 * is tried again, with a new reading of the catalog and fewer operations. A single operation may have any count.
 */
export class UnexpectedRowsError extends TransientError {
  constructor(cause: Error) {
    super(`A statement had an unexpected result: ${cause.message}`, { cause });
  }
}
