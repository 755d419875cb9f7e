/** A value, or a promise of it. */
export type Awaitable<T> = T | Promise<T>;

/** What readers, processors and writers are given for one chunk. Node has no transaction bound to a thread. */
export interface ItemContext<Tx> {
  /** The chunk's transaction. Work done through it is committed with the chunk, or not at all. */
  readonly tx: Tx;
}

/** Gives items one at a time, in order. */
export interface ItemReader<T, Tx = unknown> {
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
 * A plain writer answers nothing and throws when anything is wrong: the engine then finds the bad items by itself. A writer
 * that can tell its items apart answers one outcome for each item, in the order of the items, and throws only what is
 * no item's fault.
 */
export interface ItemWriter<T, R = void, Tx = unknown> {
  /** True when it answers outcomes. */
  readonly reportsOutcomes?: boolean;
  write(items: readonly T[], context: ItemContext<Tx>): Promise<readonly WriteOutcome<R>[] | void>;
}
