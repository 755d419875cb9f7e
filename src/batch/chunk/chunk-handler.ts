import type { StepContribution, StepCounters } from '../model/step-counters.js';

/** What a handler gets for one attempt at a chunk. */
export interface ChunkContext<Tx> {
  /**
   * The chunk's transaction. Work done through it is committed with the chunk, or not at all. Node cannot bind a transaction to a
   * thread, so it is passed on.
   */
  readonly tx: Tx;
  /** What the chunks before this one have counted. */
  readonly execution: Readonly<StepCounters>;
  /** What the previous attempt at this chunk threw. Undefined at the first attempt. */
  readonly previousError: unknown;
  /** How often this chunk was tried before. */
  readonly retries: number;
  /**
   * True when an item of this chunk has broken the transaction of an attempt before. Then each item is processed in a savepoint of
   * its own.
   */
  readonly itemSavepoints?: boolean;
}

/** What was read for one chunk. */
export interface ReadChunk {
  /** False when the input has come to its end. */
  readonly more: boolean;
  /** How many items no rollback puts back. They count as read even when the chunk fails. Default: 0. */
  readonly takenCount?: number;
}

/** What became of one chunk. */
export interface WrittenChunk {
  readonly contribution: StepContribution;
}

/**
 * The work of a chunk-oriented step on one chunk. Each method gets what the one before it answered. All three run in the
 * transaction of the chunk. What they throw undoes the chunk. `ItemChunkHandler` does this work with an item reader, an
 * item processor and an item writer.
 */
export interface ChunkHandler<Read extends ReadChunk, Processed, Written extends WrittenChunk, Tx> {
  /** @param limit the maximum number of items */
  read(limit: number, context: ChunkContext<Tx>): Promise<Read>;
  process(read: Read, context: ChunkContext<Tx>): Promise<Processed>;
  write(processed: Processed, context: ChunkContext<Tx>): Promise<Written>;
}
