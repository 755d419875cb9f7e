import { isThenable } from '../awaitable.js';
import type { ChunkContext, ChunkHandler, ReadChunk, WrittenChunk } from './chunk-handler.js';
import { isolate } from './isolate.js';
import type { ItemProcessor, ItemReader, ItemWriter, WriteOutcome } from './item.js';
import { SavepointBudget, SecondRunError } from './savepoint-budget.js';
import { neverSkip, type SkipPolicy } from './skip-policy.js';
import type { StepContribution } from '../model/step-counters.js';
import type { TransactionManager } from './transaction-manager.js';

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
  /** Default: nothing is skipped. */
  skipPolicy?: SkipPolicy;
  /** Default: `halves`. */
  scan?: Scan;
}

/**
 * Makes the work on a chunk of readers, processors and writers of single items. It promises that one bad item costs only
 * itself where the skip policy allows it. Where items come from and go to is left to reader and writer.
 */
export class ItemChunkHandler<I, O, R, Tx> implements ChunkHandler<
  ReadItems<I>,
  ProcessedItems<I, O>,
  WrittenItems<I, O, R>,
  Tx
> {
  private readonly skipPolicy: SkipPolicy;

  constructor(private readonly options: ItemChunkHandlerOptions<I, O, R, Tx>) {
    this.skipPolicy = options.skipPolicy ?? neverSkip;
  }

  async read(limit: number, context: ChunkContext<Tx>): Promise<ReadItems<I>> {
    const items: I[] = [];
    const skipped: SkippedItem<I, never>[] = [];
    while (items.length < limit) {
      try {
        const read = this.options.reader.read(context);
        // Awaiting a value that is there already takes longer than reading many an item.
        const item = isThenable(read) ? await read : read;
        if (item === null) return { items, skipped, more: false };
        items.push(item);
      } catch (error) {
        this.skipOrThrow(error, skipped.length, context);
        skipped.push({ phase: 'read', error });
      }
    }
    return { items, skipped, more: true };
  }

  async process(read: ReadItems<I>, context: ChunkContext<Tx>): Promise<ProcessedItems<I, O>> {
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
        this.skipOrThrow(error, skipped.length, context);
        skipped.push({ phase: 'process', item, error });
      }
    }
    return { ...read, outputs, skipped, filtered };
  }

  async write(processed: ProcessedItems<I, O>, context: ChunkContext<Tx>): Promise<WrittenItems<I, O, R>> {
    const { outputs } = processed;
    const skipped: SkippedItem<I, O>[] = [...processed.skipped];
    const written: { item: O; result: R }[] = [];
    const outcomes = outputs.length === 0 ? [] : await this.writeOutcomes(outputs, context);
    outcomes.forEach((outcome, index) => {
      const item = outputs[index]!;
      if (outcome.written) {
        written.push({ item, result: outcome.result });
        return;
      }
      this.skipOrThrow(outcome.error, skipped.length, context);
      skipped.push({ phase: 'write', item, error: outcome.error });
    });
    return { written, skipped, contribution: toContribution(processed, written.length, skipped) };
  }

  private writeOutcomes(outputs: readonly O[], context: ChunkContext<Tx>): Promise<readonly WriteOutcome<R>[]> {
    const { writer, skipPolicy, scan = 'halves' } = this.options;
    // No scan where nothing may be skipped, or where the writer isolates by itself.
    if (skipPolicy === undefined || writer.reportsOutcomes === true) return this.writeOnce(outputs, context);
    return scan === 'halves' ? this.scanByHalves(outputs, context) : this.scanByItem(outputs, context);
  }

  private scanByHalves(outputs: readonly O[], context: ChunkContext<Tx>): Promise<readonly WriteOutcome<R>[]> {
    const savepoints = this.savepoints(context);
    return isolate<O, WriteOutcome<R>>(outputs, {
      attempt: (items) => savepoints.attempt(() => this.writeOnce(items, context)),
      blame: (error) => (this.isSkippable(error) ? 'item' : 'abort'),
      failure: (_, error) => ({ written: false, error }),
    });
  }

  private async scanByItem(outputs: readonly O[], context: ChunkContext<Tx>): Promise<readonly WriteOutcome<R>[]> {
    const savepoints = this.savepoints(context);
    const attempt = async (items: readonly O[]): Promise<readonly WriteOutcome<R>[]> => {
      try {
        return await savepoints.attempt(() => this.writeOnce(items, context));
      } catch (error) {
        if (!this.isSkippable(error)) throw error;
        return items.map(() => ({ written: false, error }));
      }
    };
    const together = await attempt(outputs);
    if (outputs.length === 1 || together.every(({ written }) => written)) return together;
    const outcomes: WriteOutcome<R>[] = [];
    for (const item of outputs) outcomes.push(...(await attempt([item])));
    return outcomes;
  }

  private savepoints({ tx }: ChunkContext<Tx>): SavepointBudget<Tx> {
    return new SavepointBudget(this.options.transactionManager, tx);
  }

  private async writeOnce(items: readonly O[], context: ChunkContext<Tx>): Promise<readonly WriteOutcome<R>[]> {
    return reported(items, await this.options.writer.write(items, context));
  }

  private isSkippable(error: unknown): boolean {
    return !(error instanceof SecondRunError) && this.skipPolicy.shouldSkip(error, 0);
  }

  private skipOrThrow(error: unknown, skippedInChunk: number, { execution }: ChunkContext<Tx>): void {
    if (!this.skipPolicy.shouldSkip(error, execution.skipCount + skippedInChunk)) throw error;
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
