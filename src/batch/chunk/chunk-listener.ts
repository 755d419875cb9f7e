import type { Awaitable } from '../awaitable.js';

/** Is told what becomes of chunks. Several listeners are told in reverse order, except for `beforeChunk`. */
export interface ChunkListener<Read, Written> {
  /** Called before each attempt at a chunk. What it throws ends the execution of the step. */
  beforeChunk?(): Awaitable<void>;
  /** Called after the commit. What it throws ends the execution of the step; the chunk stays committed and counted. */
  afterChunk?(read: Read, written: Written): Awaitable<void>;
  /**
   * Called after each rollback, that of the last attempt included. What it throws is logged, and replaces nothing.
   *
   * @param read what the attempt had read; undefined when reading failed
   */
  onChunkError?(error: unknown, read: Read | undefined): Awaitable<void>;
  /**
   * Called before the wait for the next attempt. What it throws is logged, and replaces nothing.
   *
   * @param retries of this chunk, the coming one included
   */
  onChunkRetry?(error: unknown, retries: number): Awaitable<void>;
}
