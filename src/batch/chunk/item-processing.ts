import { isThenable, type Awaitable } from '../awaitable.js';
import { assertUsable, isOfTransaction } from './broken-transaction.js';
import type { ItemListeners } from './item-listener.js';
import type { ItemContext, ItemProcessor } from './item.js';
import { retried } from './retry-in-place.js';
import { neverRetry, type RetryPolicy } from './retry-policy.js';
import type { OnUndo, SavepointBudget } from './savepoint-budget.js';
import type { SkipPolicy } from './skip-policy.js';
import type { TransactionManager } from './transaction-manager.js';

/** What became of an item in processing. */
export type Processed<O> = { output: O | null } | { error: unknown };

export interface ItemProcessingOptions<I, O, Tx> {
  processor: ItemProcessor<I, O, Tx>;
  transactionManager: TransactionManager<Tx>;
  retryPolicy: RetryPolicy;
  skipPolicy: SkipPolicy;
  listeners: ItemListeners<I, O, Tx>;
  savepoints: (context: ItemContext<Tx>) => SavepointBudget<Tx>;
  /** Default: 1. */
  concurrency?: number;
}

/**
 * Processes the items of a chunk, each with its retries. It promises that an item which fails in the database costs only itself: the
 * transaction of the chunk is found broken, and the next attempt gives each item a savepoint.
 */
export class ItemProcessing<I, O, Tx> {
  constructor(private readonly options: ItemProcessingOptions<I, O, Tx>) {}

  /** Each of `concurrency` workers takes the next item as soon as it is free. Undefined where items are processed one at a time. */
  async together(items: readonly I[], context: ItemContext<Tx>): Promise<Processed<O>[] | undefined> {
    // Savepoints of several items on one connection would interleave.
    const concurrency = context.itemSavepoints === true ? 1 : (this.options.concurrency ?? 1);
    if (concurrency <= 1) return undefined;
    const results: Processed<O>[] = [];
    let next = 0;
    const broken: unknown[] = [];
    const work = async (): Promise<void> => {
      while (next < items.length && broken.length === 0) {
        const index = next++;
        try {
          results[index] = await this.processWithPolicies(items[index]!, context);
        } catch (error) {
          broken.push(error);
        }
      }
    };
    // All have come to their end before the transaction is rolled back.
    await Promise.all(Array.from({ length: concurrency }, work));
    if (broken.length > 0) throw broken[0];
    return results;
  }

  process(item: I, context: ItemContext<Tx>): Awaitable<Processed<O>> {
    const { processor, retryPolicy, listeners } = this.options;
    if (retryPolicy !== neverRetry || !listeners.isEmpty || context.itemSavepoints === true) {
      return this.processWithPolicies(item, context);
    }
    try {
      const output = processor.process(item, context);
      if (!isThenable(output)) return { output };
      return Promise.resolve(output).then(
        (value) => ({ output: value }),
        (error: unknown) => this.failed(error, context),
      );
    } catch (error) {
      return this.failed(error, context);
    }
  }

  private async failed(error: unknown, context: ItemContext<Tx>): Promise<Processed<O>> {
    await this.assertProcessable(error, 0, context);
    return { error };
  }

  private async processWithPolicies(item: I, context: ItemContext<Tx>): Promise<Processed<O>> {
    try {
      const output = await retried(this.options.retryPolicy, async (retries) => {
        try {
          return await this.processOnce(item, context);
        } catch (error) {
          await this.assertProcessable(error, retries, context);
          await this.options.listeners.tell('onProcessError', item, error, context);
          throw error;
        }
      });
      return { output };
    } catch (error) {
      if (isOfTransaction(error)) throw error;
      return { error };
    }
  }

  private async processOnce(item: I, context: ItemContext<Tx>): Promise<O | null> {
    const { processor, listeners, transactionManager, savepoints } = this.options;
    const untold = async (given: ItemContext<Tx>): Promise<O | null> => processor.process(item, given);
    const told = async (given: ItemContext<Tx>): Promise<O | null> => {
      await listeners.tell('beforeProcess', item, given);
      const processed = await untold(given);
      await listeners.tell('afterProcess', item, processed, given);
      return processed;
    };
    if (context.itemSavepoints !== true) return told(context);
    const within = (work: typeof told) => async (onUndo: OnUndo) => {
      const processed = await work({ ...context, onUndo });
      // A processor may have caught the error of its statement. Without this, the next item would be blamed for it.
      await transactionManager.savepoint(context.tx, () => Promise.resolve());
      return processed;
    };
    const work = within(told);
    return savepoints(context).attempt(work, listeners.isEmpty ? work : within(untold));
  }

  /**
   * Whether an item that is retried or skipped has left a transaction that can go on. Nothing is asked where the failure ends the
   * chunk, or is undone by a savepoint.
   *
   * @throws BrokenTransactionError when the chunk has to be attempted anew
   */
  private async assertProcessable(error: unknown, retries: number, context: ItemContext<Tx>): Promise<void> {
    if (context.itemSavepoints === true || isOfTransaction(error)) return;
    if (!this.options.retryPolicy.canRetry(error, retries) && !this.options.skipPolicy.shouldSkip(error, 0)) return;
    await assertUsable(this.options.transactionManager, context.tx, error);
  }
}
