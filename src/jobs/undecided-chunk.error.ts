/** No verdict: the chunk is tried again with fewer operations. It has no SQLSTATE, so it is transient. */
export class UndecidedChunkError extends Error {
  constructor(operations: number, rounds: number) {
    super(`After ${rounds} rounds it is still open which of ${operations} operations wait behind others`);
    this.name = 'UndecidedChunkError';
  }
}
