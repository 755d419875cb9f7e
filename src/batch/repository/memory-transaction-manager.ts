import type { TransactionManager } from '../chunk/transaction-manager.js';

/** A transaction of a process without a database: what is to be done when it commits. */
export interface MemoryTransaction {
  onCommit(act: () => void): void;
}

class OpenTransaction implements MemoryTransaction {
  acts: (() => void)[] = [];

  onCommit(act: () => void): void {
    this.acts.push(act);
  }
}

/** For tests and for steps that write to no database. */
export class MemoryTransactionManager implements TransactionManager<MemoryTransaction> {
  async transaction<T>(work: (tx: MemoryTransaction) => Promise<T>): Promise<T> {
    const tx = new OpenTransaction();
    const result = await work(tx);
    for (const act of tx.acts) act();
    return result;
  }

  async savepoint<T>(tx: MemoryTransaction, work: () => Promise<T>): Promise<T> {
    const { acts } = tx as OpenTransaction;
    const { length } = acts;
    try {
      return await work();
    } catch (error) {
      acts.length = length;
      throw error;
    }
  }
}
