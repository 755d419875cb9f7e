import type { Awaitable } from '../awaitable.js';
import type { ExecutionContext } from '../model/execution-context.js';
import type { StepScope } from '../step/step-scope.js';
import type { ChunkContext } from './chunk-handler.js';

/** What readers, processors, writers and listeners of items get. */
export interface ItemContext<Tx = unknown> extends ChunkContext<Tx> {
  readonly scope: StepScope;
  /**
   * The writer of the step, where the step may skip items: outcomes are read of this writer only. Another one, inside of it, must throw
   * for a bad item, or its outcomes would be lost. A writer that passes on the outcomes of another one sets this to that one.
   */
  readonly reportingWriter?: object;
  /**
   * While bad items are looked for, parts of a chunk are written and undone. What is given here is called then. It is for effects
   * outside the transaction, such as lines in a file. A failure of the whole chunk does not call it: the next attempt has another
   * number of `retries`.
   */
  readonly onUndo?: (act: () => void) => void;
}

/** Gives items one at a time, in order. */
export interface ItemReader<T, Tx = unknown> {
  /**
   * True when a `read` that has thrown changes nothing, so that the next call gives what this one could not: then it may be retried.
   * Default: false, the next call gives the item behind.
   */
  readonly repeatsFailedReads?: boolean;
  /** The next item, or null at the end of the input. */
  read(context: ItemContext<Tx>): Awaitable<T | null>;
}

/** Turns an item into what is written. */
export interface ItemProcessor<I, O, Tx = unknown> {
  /** The item to write, or null to filter it out. */
  process(item: I, context: ItemContext<Tx>): Awaitable<O | null>;
}

/** What became of one item of a chunk, from a writer that can tell its items apart. */
export type WriteOutcome<R = void> = { written: true; result: R } | { written: false; error: unknown };

/**
 * Writes the items of a chunk, in order.
 *
 * A plain writer answers nothing and throws when anything is wrong: the engine then finds the bad items by itself. For this it
 * calls the writer again with parts of the chunk. A writer that can tell its items apart answers one outcome for each item, in
 * the order of the items. It throws only errors that no item is to blame for. A writer may answer outcomes in one call and throw in another, see `reportingWriter`.
 */
export interface ItemWriter<T, R = void, Tx = unknown> {
  /** True when it always answers outcomes. Then no part of a chunk is written again. */
  readonly reportsOutcomes?: boolean;
  write(items: readonly T[], context: ItemContext<Tx>): Promise<readonly WriteOutcome<R>[] | void>;
}

/**
 * A reader, processor or writer that opens something, or has to know after a restart where it was. Its keys in the context are its own:
 * see `ExecutionContext.of`.
 */
export interface ItemStream {
  /** Names its part of the context. Default: its part in the step, `reader`, `processor` or `writer`. */
  readonly name?: string;
  /** Before the first item. After a restart the context holds what the last committed chunk has left. */
  open?(context: ExecutionContext, scope: StepScope): Awaitable<void>;
  /** Before each commit. What it puts into the context is stored with the chunk. */
  update?(context: ExecutionContext): Awaitable<void>;
  /**
   * Of a reader: which part of its input it has given out, from 0 to 1. It is asked before each commit, stored with the chunk, and
   * shown. Undefined while that is not known.
   */
  progress?(): number | undefined;
  /** After the last chunk, also after a failure. */
  close?(): Awaitable<void>;
}
