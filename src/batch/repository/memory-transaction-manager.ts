import type { TransactionManager } from '../chunk/transaction-manager.js';

/** A transaction of a process without a database: what is to be done when it commits. */
export interface MemoryTransaction {
  onCommit(act: () => void): void;
  /** Called before anything is done. What it throws rolls back. */
  beforeCommit(check: () => void): void;
}

class OpenTransaction implements MemoryTransaction {
  readonly acts: (() => void)[] = [];
  readonly checks: (() => void)[] = [];

  onCommit(act: () => void): void {
    this.acts.push(act);
  }

  beforeCommit(check: () => void): void {
    this.checks.push(check);
  }
}

/** For tests and for steps that write to no database. */
export class MemoryTransactionManager implements TransactionManager<MemoryTransaction> {
  async transaction<T>(work: (tx: MemoryTransaction) => Promise<T>): Promise<T> {
    const tx = new OpenTransaction();
    const result = await work(tx);
    for (const check of tx.checks) check();
    for (const act of tx.acts) act();
    return result;
  }

  async savepoint<T>(tx: MemoryTransaction, work: () => Promise<T>): Promise<T> {
    const { acts, checks } = tx as OpenTransaction;
    const [actCount, checkCount] = [acts.length, checks.length];
    try {
      return await work();
    } catch (error) {
      acts.length = actCount;
      checks.length = checkCount;
      throw error;
    }
  }
}
