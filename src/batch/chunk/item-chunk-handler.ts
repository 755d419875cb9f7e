import { isThenable, type Awaitable } from '../awaitable.js';
import type { StepContribution } from '../model/step-counters.js';
import type { StepScope } from '../step/step-scope.js';
import type { CompletionPolicy } from './completion-policy.js';
import type { ChunkContext, ChunkHandler, ReadChunk, WrittenChunk } from './chunk-handler.js';
import { assertUsable } from './broken-transaction.js';
import { isolate } from './isolate.js';
import { ItemProcessing } from './item-processing.js';
import { retried } from './retry-in-place.js';
import type { ItemContext, ItemProcessor, ItemReader, ItemWriter, WriteOutcome } from './item.js';
import { ItemListeners, type ItemListener } from './item-listener.js';
import { isNeverSkipped } from './never-skipped.js';
import { neverRetry, type RetryPolicy } from './retry-policy.js';
import { SavepointBudget, SecondRunError, type OnUndo } from './savepoint-budget.js';
import { neverSkip, SkipLimitExceededError, type SkipPolicy } from './skip-policy.js';
import type { TransactionManager } from './transaction-manager.js';

/** In one chunk. */
const MOST_READ_SKIPS = 1000;

/** An item that was left out because the skip policy allows it. */
export type SkippedItem<I, O> =
  | { phase: 'read'; error: unknown }
  | { phase: 'process'; item: I; error: unknown }
  | { phase: 'write'; item: O; error: unknown };

export interface ReadItems<I> extends ReadChunk {
  items: readonly I[];
  skipped: readonly SkippedItem<I, never>[];
}

export interface ProcessedItems<I, O> extends ReadItems<I> {
  outputs: readonly O[];
  filtered: number;
}

export interface WrittenItems<I, O, R> extends WrittenChunk {
  written: readonly { item: O; result: R }[];
  skipped: readonly SkippedItem<I, O>[];
}

/**
 * How the bad items of a plain writer are found. `halves`: parts of the chunk are written again and again, each with half of the
 * items. `item`: every item is written alone.
 */
export type Scan = 'halves' | 'item';

export interface ItemChunkHandlerOptions<I, O, R, Tx> {
  reader: ItemReader<I, Tx>;
  processor: ItemProcessor<I, O, Tx>;
  writer: ItemWriter<O, R, Tx>;
  /** That of the step. */
  transactionManager: TransactionManager<Tx>;
  scope: StepScope;
  /** Default: nothing is skipped. */
  skipPolicy?: SkipPolicy;
  /** For items in place, and for the write of a chunk, which the step repeats. Default: nothing is retried. */
  retryPolicy?: RetryPolicy;
  /** An error of the writer that undoes nothing: what it has written so far is committed. Default: none. */
  keepsTransaction?: (error: unknown) => boolean;
  /** Default: a chunk is complete when it has as many items as its size. */
  completionPolicy?: CompletionPolicy<I>;
  /** Default: `halves`. */
  scan?: Scan;
  /** How many items are processed at the same time. They are written in the order of reading. Default: 1. */
  concurrency?: number;
  listeners?: readonly ItemListener<I, O, Tx>[];
}

/**
 * Makes the work on a chunk of readers, processors and writers of single items. It promises that one bad item costs only
 * itself where the skip policy allows it. What fails is retried first, and skipped when it fails still. Where items come from and
 * go to is left to reader and writer.
 */
export class ItemChunkHandler<I, O, R, Tx> implements ChunkHandler<
  ReadItems<I>,
  ProcessedItems<I, O>,
  WrittenItems<I, O, R>,
  Tx
> {
  private readonly skipPolicy: SkipPolicy;
  private readonly retryPolicy: RetryPolicy;
  private readonly listeners: ItemListeners<I, O, Tx>;
  /** Errors of items for which there is no further attempt. The chunk is not tried again for them. */
  private readonly final = new WeakSet<object>();
  private readonly processing: ItemProcessing<I, O, Tx>;
  private budget: { tx: Tx; savepoints: SavepointBudget<Tx> } | undefined;

  constructor(private readonly options: ItemChunkHandlerOptions<I, O, R, Tx>) {
    this.skipPolicy = options.skipPolicy ?? neverSkip;
    this.retryPolicy = options.retryPolicy ?? neverRetry;
    this.listeners = new ItemListeners(options.listeners ?? []);
    const { retryPolicy, skipPolicy, listeners } = this;
    this.processing = new ItemProcessing({
      ...options,
      ...{ retryPolicy, skipPolicy, listeners, savepoints: (context) => this.savepoints(context) },
    });
  }

  /** For the step: repeats a chunk whose write, or commit, has failed. */
  get chunkRetryPolicy(): RetryPolicy {
    const { retryPolicy } = this;
    return {
      canRetry: (error, retries) => !this.isFinal(error) && retryPolicy.canRetry(error, retries),
      backOffMs: (retries) => retryPolicy.backOffMs(retries),
    };
  }

  async read(limit: number, chunk: ChunkContext<Tx>): Promise<ReadItems<I>> {
    const context = this.contextOf(chunk);
    const items: I[] = [];
    const skipped: SkippedItem<I, never>[] = [];
    const isComplete = this.options.completionPolicy?.begin();
    // A reader that fails again and again ends its chunk too, so that a stop is noticed and the skips are stored.
    while (items.length < limit && skipped.length < MOST_READ_SKIPS) {
      let item: I | null;
      try {
        const next = this.readItem(context);
        // Awaiting a value that is there already takes longer than reading many an item.
        item = isThenable(next) ? await next : next;
      } catch (error) {
        this.skipOrThrow(error, skipped.length, context);
        await this.assertReadable(error, context);
        skipped.push({ phase: 'read', error });
        continue;
      }
      if (item === null) return { items, skipped, more: false, takenCount: items.length };
      items.push(item);
      if (isComplete?.(item) === true) break;
    }
    return { items, skipped, more: true, takenCount: items.length };
  }

  async process(read: ReadItems<I>, chunk: ChunkContext<Tx>): Promise<ProcessedItems<I, O>> {
    this.budget = undefined;
    const context = this.contextOf(chunk);
    const outputs: O[] = [];
    const skipped: SkippedItem<I, never>[] = [...read.skipped];
    let filtered = 0;
    const together = await this.processing.together(read.items, context);
    for (const [index, item] of read.items.entries()) {
      const each = together?.[index] ?? this.processing.process(item, context);
      const processed = isThenable(each) ? await each : each;
      if ('error' in processed) {
        this.skipOrThrow(processed.error, skipped.length, context);
        skipped.push({ phase: 'process', item, error: processed.error });
      } else if (processed.output === null) filtered += 1;
      else outputs.push(processed.output);
    }
    return { ...read, outputs, skipped, filtered };
  }

  async write(processed: ProcessedItems<I, O>, chunk: ChunkContext<Tx>): Promise<WrittenItems<I, O, R>> {
    const context = this.contextOf(chunk);
    const { outputs } = processed;
    const skipped: SkippedItem<I, O>[] = [...processed.skipped];
    const written: { item: O; result: R }[] = [];
    const outcomes = outputs.length === 0 ? [] : await this.writeOutcomes(outputs, context);
    for (const outcome of outcomes) if (!outcome.written && this.isRetried(outcome.error, context)) throw outcome.error;
    outcomes.forEach((outcome, index) => {
      const item = outputs[index]!;
      if (outcome.written) {
        written.push({ item, result: outcome.result });
        return;
      }
      this.skipOrThrow(outcome.error, skipped.length, context);
      skipped.push({ phase: 'write', item, error: outcome.error });
    });
    for (const item of skipped) await this.tellOfSkip(item, context);
    return { written, skipped, contribution: toContribution(processed, written.length, skipped) };
  }

  private contextOf(chunk: ChunkContext<Tx>): ItemContext<Tx> {
    const { scope, writer, skipPolicy } = this.options;
    return { ...chunk, scope, ...(skipPolicy !== undefined && { reportingWriter: writer }) };
  }

  private readItem(context: ItemContext<Tx>): Awaitable<I | null> {
    const { reader } = this.options;
    // Most readers have passed the item that they could not give. Another call would give the next one, and nobody would miss it.
    const policy = reader.repeatsFailedReads === true ? this.retryPolicy : neverRetry;
    if (policy === neverRetry && this.listeners.isEmpty) return reader.read(context);
    return this.readAndTell(reader, policy, context);
  }

  private async readAndTell(
    reader: ItemReader<I, Tx>,
    policy: RetryPolicy,
    context: ItemContext<Tx>,
  ): Promise<I | null> {
    const item = await retried(policy, async () => {
      await this.listeners.tell('beforeRead', context);
      try {
        return await reader.read(context);
      } catch (error) {
        await this.listeners.tell('onReadError', error, context);
        throw error;
      }
    });
    // The item is taken: a listener that fails must not read another one.
    if (item !== null) await this.listeners.tell('afterRead', item, context);
    return item;
  }

  /** A reader that has broken the transaction fails the chunk: what it would read next is not known to be what comes next. */
  private async assertReadable(error: unknown, { tx }: ItemContext<Tx>): Promise<void> {
    try {
      await assertUsable(this.options.transactionManager, tx, error);
    } catch {
      if (typeof error === 'object' && error !== null) this.final.add(error);
      throw error;
    }
  }

  private writeOutcomes(outputs: readonly O[], context: ItemContext<Tx>): Promise<readonly WriteOutcome<R>[]> {
    const { writer, skipPolicy, scan = 'halves' } = this.options;
    // No scan where nothing may be skipped, or where the writer isolates by itself.
    if (skipPolicy === undefined || writer.reportsOutcomes === true) return this.writeOnce(outputs, context);
    return scan === 'halves' ? this.scanByHalves(outputs, context) : this.scanByItem(outputs, context);
  }

  private scanByHalves(outputs: readonly O[], context: ItemContext<Tx>): Promise<readonly WriteOutcome<R>[]> {
    return isolate<O, WriteOutcome<R>>(outputs, {
      attempt: (items) => this.writeUndoable(items, context),
      blame: (error) => (this.mayScan(error, context) ? 'item' : 'abort'),
      failure: (_, error) => ({ written: false, error }),
    });
  }

  private async scanByItem(outputs: readonly O[], context: ItemContext<Tx>): Promise<readonly WriteOutcome<R>[]> {
    const attempt = async (items: readonly O[]): Promise<readonly WriteOutcome<R>[] | { thrown: unknown }> => {
      try {
        return await this.writeUndoable(items, context);
      } catch (error) {
        if (!this.mayScan(error, context)) throw error;
        return { thrown: error };
      }
    };
    const together = await attempt(outputs);
    if (!('thrown' in together)) return together;
    if (outputs.length === 1) return [{ written: false, error: together.thrown }];
    const outcomes: WriteOutcome<R>[] = [];
    for (const item of outputs) {
      const alone = await attempt([item]);
      outcomes.push(...('thrown' in alone ? [{ written: false, error: alone.thrown } as const] : alone));
    }
    return outcomes;
  }

  /** One budget for processing and writing, since both are in one transaction. */
  private savepoints({ tx }: ItemContext<Tx>): SavepointBudget<Tx> {
    if (this.budget?.tx !== tx) {
      this.budget = { tx, savepoints: new SavepointBudget(this.options.transactionManager, tx) };
    }
    return this.budget.savepoints;
  }

  private writeUndoable(items: readonly O[], context: ItemContext<Tx>): Promise<readonly WriteOutcome<R>[]> {
    const work = (onUndo: OnUndo) => this.writeOnce(items, { ...context, onUndo });
    const untold = (onUndo: OnUndo) => this.writeUntold(items, { ...context, onUndo });
    return this.savepoints(context).attempt(work, this.listeners.isEmpty ? work : untold);
  }

  /** For what is done once more: the listeners are told then. */
  private async writeUntold(items: readonly O[], context: ItemContext<Tx>): Promise<void> {
    try {
      await this.options.writer.write(items, context);
    } catch (error) {
      if (this.options.keepsTransaction?.(error) !== true) throw error;
    }
  }

  private async writeOnce(items: readonly O[], context: ItemContext<Tx>): Promise<readonly WriteOutcome<R>[]> {
    await this.listeners.tell('beforeWrite', items, context);
    try {
      const outcomes = reported(items, await this.options.writer.write(items, context));
      const written = items.filter((_, index) => outcomes[index]!.written);
      if (written.length > 0) await this.listeners.tell('afterWrite', written, context);
      return outcomes;
    } catch (error) {
      await this.listeners.tell('onWriteError', error, items, context);
      if (this.options.keepsTransaction?.(error) === true) return reported(items, undefined);
      throw error;
    }
  }

  /** False when another attempt at the whole chunk comes first, or when the error may not be skipped. */
  private mayScan(error: unknown, { retries }: ItemContext<Tx>): boolean {
    if (error instanceof SecondRunError || isNeverSkipped(error)) return false;
    if (this.retryPolicy.canRetry(error, retries)) return false;
    return this.skipPolicy.shouldSkip(error, 0);
  }

  /** Retry comes before skip, also where the writer names the bad item. */
  private isRetried(error: unknown, { retries }: ItemContext<Tx>): boolean {
    return !this.isFinal(error) && this.retryPolicy.canRetry(error, retries);
  }

  private skipOrThrow(error: unknown, skippedInChunk: number, { execution }: ItemContext<Tx>): void {
    const skipped = execution.skipCount + skippedInChunk;
    if (!isNeverSkipped(error) && this.skipPolicy.shouldSkip(error, skipped)) return;
    if (typeof error === 'object' && error !== null) this.final.add(error);
    throw error;
  }

  private isFinal(error: unknown): boolean {
    return (
      error instanceof SkipLimitExceededError || typeof error !== 'object' || error === null || this.final.has(error)
    );
  }

  private async tellOfSkip(skipped: SkippedItem<I, O>, context: ItemContext<Tx>): Promise<void> {
    const { phase, error } = skipped;
    if (phase === 'read') await this.listeners.tell('onSkipInRead', error, context);
    else if (phase === 'process') await this.listeners.tell('onSkipInProcess', skipped.item, error, context);
    else await this.listeners.tell('onSkipInWrite', skipped.item, error, context);
  }
}

function toContribution<I, O>(
  { items, filtered }: ProcessedItems<I, O>,
  written: number,
  skipped: readonly SkippedItem<I, O>[],
): StepContribution {
  const skips = (phase: SkippedItem<I, O>['phase']): number => skipped.filter((item) => item.phase === phase).length;
  return {
    readCount: items.length,
    writeCount: written,
    filterCount: filtered,
    readSkipCount: skips('read'),
    processSkipCount: skips('process'),
    writeSkipCount: skips('write'),
  };
}

/** A plain writer that did not throw has written everything. */
function reported<T, R>(items: readonly T[], outcomes: readonly WriteOutcome<R>[] | void): readonly WriteOutcome<R>[] {
  if (outcomes === undefined) return items.map(() => ({ written: true, result: undefined as R }));
  if (outcomes.length !== items.length) {
    throw new Error(`The writer was given ${items.length} items and answered ${outcomes.length} outcomes`);
  }
  return outcomes;
}
