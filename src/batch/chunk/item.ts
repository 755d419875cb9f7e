import type { Awaitable } from '../awaitable.js';
import type { ChunkContext } from './chunk-handler.js';

/** Gives items one at a time, in order. */
export interface ItemReader<T, Tx = unknown> {
  /** The next item, or null at the end of the input. */
  read(context: ChunkContext<Tx>): Awaitable<T | null>;
}

/** Turns an item into what is written. */
export interface ItemProcessor<I, O, Tx = unknown> {
  /** The item to write, or null to filter it out. */
  process(item: I, context: ChunkContext<Tx>): Awaitable<O | null>;
}

/** What became of one item of a chunk, from a writer that can tell its items apart. */
export type WriteOutcome<R = void> = { written: true; result: R } | { written: false; error: unknown };

/**
 * Writes the items of a chunk, in order.
 *
 * A plain writer answers nothing and throws when anything is wrong: the engine then finds the bad items by itself. For this it
 * calls the writer again with parts of the chunk. A writer that can tell its items apart answers one outcome for each item, in
 * the order of the items. It throws only errors that no item is to blame for.
 */
export interface ItemWriter<T, R = void, Tx = unknown> {
  /** True when it answers outcomes. */
  readonly reportsOutcomes?: boolean;
  write(items: readonly T[], context: ChunkContext<Tx>): Promise<readonly WriteOutcome<R>[] | void>;
}
