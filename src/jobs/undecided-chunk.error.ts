import { TransientError } from '../services/errors/transient-error.js';

/** No verdict: the chunk is tried again with fewer operations. */
export class UndecidedChunkError extends TransientError {
  constructor(operations: number, rounds: number) {
    super(`After ${rounds} rounds it is still not known which of ${operations} operations wait behind others`);
  }
}
