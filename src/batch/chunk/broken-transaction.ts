import { SecondRunError } from './savepoint-budget.js';
import type { TransactionManager } from './transaction-manager.js';

/**
 * An item has failed and left a transaction that takes no more statements, as PostgreSQL does after an error. The chunk is undone
 * and attempted once more, with a savepoint for each item.
 */
export class BrokenTransactionError extends Error {
  constructor(cause: unknown) {
    super(
      "An item's failure has aborted the transaction of its chunk. The chunk is repeated with a savepoint for each item",
      {
        cause,
      },
    );
    this.name = 'BrokenTransactionError';
  }
}

/**
 * Costs a round trip.
 *
 * @throws BrokenTransactionError when the transaction takes no more statements
 */
export async function assertUsable<Tx>(manager: TransactionManager<Tx>, tx: Tx, cause: unknown): Promise<void> {
  try {
    await manager.savepoint(tx, () => Promise.resolve());
  } catch {
    throw new BrokenTransactionError(cause);
  }
}

/** An error that no item is to blame for, so no policy for items decides on it. */
export const isOfTransaction = (error: unknown): boolean =>
  error instanceof BrokenTransactionError || error instanceof SecondRunError;
