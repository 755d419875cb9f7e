import { MAX_RELEASED_SAVEPOINTS, type TransactionManager } from './transaction-manager.js';

/** Undoes what went well. */
class Undo extends Error {}

/** Work that had gone well a moment ago failed without a savepoint. The transaction cannot go on, and no item is to blame. */
export class SecondRunError extends Error {
  constructor(cause: unknown) {
    super('What had succeeded behind a savepoint failed when it was done to stay', { cause });
    this.name = 'SecondRunError';
  }
}

/**
 * The savepoints of one transaction. It releases `MAX_RELEASED_SAVEPOINTS` of them at most. After that, work is first done behind a
 * savepoint that is undone. If it goes well, it is done once more without a savepoint.
 */
export class SavepointBudget<Tx> {
  private released = 0;

  constructor(
    private readonly transactionManager: TransactionManager<Tx>,
    private readonly tx: Tx,
  ) {}

  /**
   * What `work` did stays, or it throws and nothing stays.
   *
   * @throws SecondRunError when the transaction cannot go on
   */
  async attempt<T>(work: () => Promise<T>): Promise<T> {
    if (this.released < MAX_RELEASED_SAVEPOINTS) {
      const result = await this.transactionManager.savepoint(this.tx, work);
      this.released += 1;
      return result;
    }
    await this.dryRun(work);
    try {
      return await work();
    } catch (error) {
      throw new SecondRunError(error);
    }
  }

  private async dryRun(work: () => Promise<unknown>): Promise<void> {
    try {
      await this.transactionManager.savepoint(this.tx, async () => {
        await work();
        throw new Undo();
      });
    } catch (error) {
      if (!(error instanceof Undo)) throw error;
    }
  }
}
