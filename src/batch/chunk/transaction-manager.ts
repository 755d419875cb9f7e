/** Begins, commits and rolls back. Everything that `work` does through `tx` is stored when the promise resolves, or not at all. */
export interface TransactionManager<Tx> {
  transaction<T>(work: (tx: Tx) => Promise<T>): Promise<T>;
  /** Runs `work` inside an open transaction; when it throws, what it did is undone and the transaction stays usable. */
  savepoint<T>(tx: Tx, work: () => Promise<T>): Promise<T>;
}

/**
 * PostgreSQL keeps 64 subtransactions of a transaction in shared memory. If more have written, every other session has
 * to look them up on disk. Subtransactions that were rolled back do not count.
 */
export const MAX_RELEASED_SAVEPOINTS = 48;
