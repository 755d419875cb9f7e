import { MAX_RELEASED_SAVEPOINTS, type TransactionManager } from './transaction-manager.js';

/** Takes what is to be called when the work is undone, for effects that the transaction does not cover. */
export type OnUndo = (act: () => void) => void;

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
  async attempt<T>(work: (onUndo: OnUndo) => Promise<T>): Promise<T> {
    if (this.released < MAX_RELEASED_SAVEPOINTS) {
      const result = await this.transactionManager.savepoint(this.tx, () => undoable(work));
      this.released += 1;
      return result;
    }
    await this.dryRun(work);
    try {
      return await undoable(work);
    } catch (error) {
      throw new SecondRunError(error);
    }
  }

  private async dryRun(work: (onUndo: OnUndo) => Promise<unknown>): Promise<void> {
    const undone = async (onUndo: OnUndo): Promise<void> => {
      await work(onUndo);
      throw new Undo();
    };
    try {
      await this.transactionManager.savepoint(this.tx, () => undoable(undone));
    } catch (error) {
      if (!(error instanceof Undo)) throw error;
    }
  }
}

async function undoable<T>(work: (onUndo: OnUndo) => Promise<T>): Promise<T> {
  const acts: (() => void)[] = [];
  try {
    return await work((act) => acts.push(act));
  } catch (error) {
    for (const act of acts.reverse()) act();
    throw error;
  }
}
