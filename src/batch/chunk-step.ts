import { setTimeout as wait } from 'node:timers/promises';
import { isolate } from './isolate.js';
import type { Awaitable, ItemContext, ItemProcessor, ItemReader, ItemWriter, WriteOutcome } from './item.js';
import { neverRetry, type RetryPolicy } from './retry-policy.js';
import { neverSkip, type SkipPolicy } from './skip-policy.js';
import type { TransactionManager } from './transaction-manager.js';

/** Counters of a step. A counter moves only with the commit that makes it true; only `rollbackCount` counts what was undone. */
export interface StepContribution {
  readCount: number;
  writeCount: number;
  filterCount: number;
  commitCount: number;
  rollbackCount: number;
  readSkipCount: number;
  processSkipCount: number;
  writeSkipCount: number;
}

/** An item that was left out because the skip policy allows it. */
export type SkippedItem<I, O> =
  | { phase: 'read'; error: unknown }
  | { phase: 'process'; item: I; error: unknown }
  | { phase: 'write'; item: O; error: unknown };

/** One chunk, as it is about to be committed. */
export interface Chunk<I, O, R> {
  items: readonly I[];
  written: readonly { item: O; result: R }[];
  skipped: readonly SkippedItem<I, O>[];
  filtered: number;
  /** False when the reader came to its end. */
  more: boolean;
}

export interface ChunkStepOptions<I, O, R, Tx> {
  name: string;
  /** The most items of one transaction. */
  chunkSize: number;
  reader: ItemReader<I, Tx>;
  processor: ItemProcessor<I, O, Tx>;
  writer: ItemWriter<O, R, Tx>;
  transactionManager: TransactionManager<Tx>;
  /** Default: nothing is skipped. */
  skipPolicy?: SkipPolicy;
  /** Default: nothing is retried. */
  retryPolicy?: RetryPolicy;
  /**
   * True when the reader takes its items within the chunk's transaction, so that a rollback puts them back and a retry
   * reads them again. Otherwise the items of a failed chunk are kept and written again.
   */
  readerIsTransactionalQueue?: boolean;
  /** Records the chunk in its own transaction, as its last act before the commit. Not called for an empty chunk. */
  saveChunk?: (chunk: Chunk<I, O, R>, context: ItemContext<Tx>) => Promise<void>;
  /** Called after each failed attempt, the last one included. */
  onRollback?: (error: unknown) => Awaitable<void>;
  /** Called after a failed attempt, before the wait for the next one. */
  onRetry?: (error: unknown, retries: number) => void;
}

/**
 * The chunk-oriented step: reads up to `chunkSize` items, processes each, writes them together, and commits, in one
 * transaction. It promises that what is committed was read, written and recorded together, and that one bad item costs
 * only itself where the skip policy allows it. Where items come from and go to is left to reader and writer.
 */
export class ChunkStep<I, O, R, Tx> {
  readonly contribution: StepContribution = {
    readCount: 0,
    writeCount: 0,
    filterCount: 0,
    commitCount: 0,
    rollbackCount: 0,
    readSkipCount: 0,
    processSkipCount: 0,
    writeSkipCount: 0,
  };
  /** What a failed attempt had read from a reader that cannot give it again. */
  private buffered: ReadItems<I> | undefined;

  constructor(private readonly options: ChunkStepOptions<I, O, R, Tx>) {}

  /** Executes chunk after chunk until the reader comes to its end. */
  async execute(signal?: AbortSignal): Promise<StepContribution> {
    let more = true;
    while (more && signal?.aborted !== true) ({ more } = await this.executeChunk(signal));
    return this.contribution;
  }

  /** Executes one chunk to its commit; in a new transaction for each retry. */
  async executeChunk(signal?: AbortSignal): Promise<Chunk<I, O, R>> {
    const { transactionManager, retryPolicy = neverRetry, onRollback, onRetry } = this.options;
    for (let retries = 0; ; retries += 1) {
      try {
        const chunk = await transactionManager.transaction((tx) => this.attempt({ tx }));
        this.buffered = undefined;
        this.count(chunk);
        return chunk;
      } catch (error) {
        this.contribution.rollbackCount += 1;
        await onRollback?.(error);
        if (!retryPolicy.canRetry(error, retries)) throw error;
        onRetry?.(error, retries);
        await wait(retryPolicy.backOffMs(retries), undefined, { signal }).catch(() => undefined);
        if (signal?.aborted === true) throw error;
      }
    }
  }

  private async attempt(context: ItemContext<Tx>): Promise<Chunk<I, O, R>> {
    const read = this.buffered ?? (await this.read(context));
    if (this.options.readerIsTransactionalQueue !== true) this.buffered = read;
    const processed = await this.process(read, context);
    const chunk = await this.write(processed, context);
    if (chunk.items.length > 0 || chunk.skipped.length > 0) await this.options.saveChunk?.(chunk, context);
    return chunk;
  }

  private async read(context: ItemContext<Tx>): Promise<ReadItems<I>> {
    const items: I[] = [];
    const skipped: SkippedItem<I, never>[] = [];
    while (items.length < this.options.chunkSize) {
      try {
        const read = this.options.reader.read(context);
        // To wait for what is there already costs more than many an item takes to be read.
        const item = isThenable(read) ? await read : read;
        if (item === null) return { items, skipped, more: false };
        items.push(item);
      } catch (error) {
        this.skipOrThrow(error, skipped.length);
        skipped.push({ phase: 'read', error });
      }
    }
    return { items, skipped, more: true };
  }

  private async process(read: ReadItems<I>, context: ItemContext<Tx>): Promise<ProcessedItems<I, O>> {
    const outputs: O[] = [];
    const skipped: SkippedItem<I, never>[] = [...read.skipped];
    let filtered = 0;
    for (const item of read.items) {
      try {
        const processed = this.options.processor.process(item, context);
        const output = isThenable(processed) ? await processed : processed;
        if (output === null) filtered += 1;
        else outputs.push(output);
      } catch (error) {
        this.skipOrThrow(error, skipped.length);
        skipped.push({ phase: 'process', item, error });
      }
    }
    return { ...read, outputs, skipped, filtered };
  }

  private async write(processed: ProcessedItems<I, O>, context: ItemContext<Tx>): Promise<Chunk<I, O, R>> {
    const { items, outputs, filtered, more } = processed;
    const skipped: SkippedItem<I, O>[] = [...processed.skipped];
    const written: { item: O; result: R }[] = [];
    const outcomes = outputs.length === 0 ? [] : await this.writeOutcomes(outputs, context);
    outcomes.forEach((outcome, index) => {
      const item = outputs[index]!;
      if (outcome.written) {
        written.push({ item, result: outcome.result });
        return;
      }
      this.skipOrThrow(outcome.error, skipped.length);
      skipped.push({ phase: 'write', item, error: outcome.error });
    });
    return { items, written, skipped, filtered, more };
  }

  private async writeOutcomes(outputs: readonly O[], context: ItemContext<Tx>): Promise<readonly WriteOutcome<R>[]> {
    const { writer, transactionManager, skipPolicy } = this.options;
    // No scan where nothing may be skipped, or where the writer isolates by itself.
    if (skipPolicy === undefined || writer.reportsOutcomes === true)
      return reported(outputs, await writer.write(outputs, context));
    return isolate<O, WriteOutcome<R>>(outputs, {
      attempt: (items) =>
        transactionManager.savepoint(context.tx, async () => reported(items, await writer.write(items, context))),
      blame: (error) => (this.isSkippable(error) ? 'item' : 'abort'),
      failure: (_, error) => ({ written: false, error }),
    });
  }

  private isSkippable(error: unknown): boolean {
    return (this.options.skipPolicy ?? neverSkip).shouldSkip(error, 0);
  }

  private skipOrThrow(error: unknown, skippedInChunk: number): void {
    const { readSkipCount, processSkipCount, writeSkipCount } = this.contribution;
    const skipCount = readSkipCount + processSkipCount + writeSkipCount + skippedInChunk;
    if (!(this.options.skipPolicy ?? neverSkip).shouldSkip(error, skipCount)) throw error;
  }

  private count(chunk: Chunk<I, O, R>): void {
    const skips = (phase: SkippedItem<I, O>['phase']) => chunk.skipped.filter((item) => item.phase === phase).length;
    this.contribution.readCount += chunk.items.length;
    this.contribution.writeCount += chunk.written.length;
    this.contribution.filterCount += chunk.filtered;
    this.contribution.readSkipCount += skips('read');
    this.contribution.processSkipCount += skips('process');
    this.contribution.writeSkipCount += skips('write');
    // An empty last chunk is no commit to speak of.
    if (chunk.items.length > 0) this.contribution.commitCount += 1;
  }
}

interface ReadItems<I> {
  items: readonly I[];
  skipped: readonly SkippedItem<I, never>[];
  more: boolean;
}

interface ProcessedItems<I, O> extends ReadItems<I> {
  outputs: readonly O[];
  filtered: number;
}

/** Promises of other libraries are no instances of ours. */
function isThenable<T>(value: Awaitable<T>): value is Promise<T> {
  return typeof value === 'object' && value !== null && 'then' in value && typeof value.then === 'function';
}

/** A plain writer that did not throw has written everything. */
function reported<T, R>(items: readonly T[], outcomes: readonly WriteOutcome<R>[] | void): readonly WriteOutcome<R>[] {
  if (outcomes === undefined) return items.map(() => ({ written: true, result: undefined as R }));
  if (outcomes.length !== items.length) {
    throw new Error(`The writer was given ${items.length} items and answered ${outcomes.length} outcomes`);
  }
  return outcomes;
}
