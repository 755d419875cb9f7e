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
 * The savepoints of one transaction. It releases `MAX_RELEASED_SAVEPOINTS` of them. After that, work is first done behind a savepoint that
 * is undone. If it goes well, it is done once more without a savepoint.
 */
export class SavepointBudget<Tx> {
  private released = 0;

  constructor(
    private readonly transactionManager: Pick<TransactionManager<Tx>, 'savepoint'>,
    private readonly tx: Tx,
  ) {}

  /**
   * What `work` did stays, or it throws and nothing stays.
   *
   * @param rehearsal `work` without what must be done once only, such as telling listeners. It takes the place of `work` where that is
   *   done twice. Default: `work` itself.
   * @throws SecondRunError when the transaction cannot go on
   */
  async attempt<T>(work: Work<T>, rehearsal: Work<unknown> = work): Promise<T> {
    if (this.released < MAX_RELEASED_SAVEPOINTS) return this.behindSavepoint(work);
    const failure = await this.dryRun(rehearsal);
    if (failure === undefined) return this.withoutSavepoint(work);
    if (rehearsal === work) throw failure.error;
    // It fails once more, and its savepoint is undone. Only work that fails at random is released beyond the limit.
    return this.behindSavepoint(work);
  }

  private async behindSavepoint<T>(work: Work<T>): Promise<T> {
    const result = await this.transactionManager.savepoint(this.tx, () => undoable(work));
    this.released += 1;
    return result;
  }

  private async withoutSavepoint<T>(work: Work<T>): Promise<T> {
    try {
      return await undoable(work);
    } catch (error) {
      throw new SecondRunError(error);
    }
  }

  /** Undefined when the work goes well. */
  private async dryRun(work: Work<unknown>): Promise<{ error: unknown } | undefined> {
    const undone = async (onUndo: OnUndo): Promise<void> => {
      await work(onUndo);
      throw new Undo();
    };
    try {
      await this.transactionManager.savepoint(this.tx, () => undoable(undone));
      return undefined;
    } catch (error) {
      return error instanceof Undo ? undefined : { error };
    }
  }
}

type Work<T> = (onUndo: OnUndo) => Promise<T>;

async function undoable<T>(work: Work<T>): Promise<T> {
  const acts: (() => void)[] = [];
  try {
    return await work((act) => acts.push(act));
  } catch (error) {
    for (const act of acts.reverse()) act();
    throw error;
  }
}
