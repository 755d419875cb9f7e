import { AlreadyCommittedError, ChunkStep } from '../chunk/chunk-step.js';
import type { CompletionPolicy } from '../chunk/completion-policy.js';
import { asStream } from '../chunk/delegate-streams.js';
import type { ChunkListener } from '../chunk/chunk-listener.js';
import type { ItemProcessor, ItemReader, ItemStream, ItemWriter } from '../chunk/item.js';
import {
  ItemChunkHandler,
  type ReadItems,
  type Scan,
  type SkippedItem,
  type WrittenItems,
} from '../chunk/item-chunk-handler.js';
import type { RetryPolicy } from '../chunk/retry-policy.js';
import type { SkipPolicy } from '../chunk/skip-policy.js';
import { errorNameOf } from '../model/describe-failure.js';
import type { SkippedItemRecord, StepExecution } from '../model/step-execution.js';
import type { Step, StepRun } from './step.js';
import type { ChunkStepListener, StepListener } from './step-listener.js';
import type { StepScope } from './step-scope.js';

/** A part of a step, or what makes it for one execution, from the parameters and contexts of that execution. */
export type LateBound<T> = T | ((scope: StepScope) => T | Promise<T>);

export interface ChunkOrientedStepDefinition<I, O, Tx> {
  name: string;
  chunkSize: number;
  reader: LateBound<ItemReader<I, Tx>>;
  processor: LateBound<ItemProcessor<I, O, Tx>>;
  writer: LateBound<ItemWriter<O, unknown, Tx>>;
  skipPolicy?: SkipPolicy;
  retryPolicy?: RetryPolicy;
  keepsTransaction?: (error: unknown) => boolean;
  completionPolicy?: CompletionPolicy<I>;
  scan?: Scan;
  concurrency?: number;
  startLimit?: number;
  allowStartIfComplete?: boolean;
  listeners?: readonly ChunkStepListener<I, O, Tx>[];
  /** More parts that are to be opened, asked before each commit, and closed. */
  streams?: readonly ItemStream[];
}

/**
 * Reads, processes and writes items in chunks, each chunk in one transaction together with the position of the reader, the counters and
 * the skipped items. So a restart goes on after the last commit and never reads again what was written.
 */
export class ChunkOrientedStep<I, O, Tx> implements Step<Tx> {
  readonly name: string;
  readonly startLimit: number;
  readonly allowStartIfComplete: boolean;
  readonly listeners: readonly StepListener[];

  constructor(private readonly definition: ChunkOrientedStepDefinition<I, O, Tx>) {
    this.name = definition.name;
    this.startLimit = definition.startLimit ?? Infinity;
    this.allowStartIfComplete = definition.allowStartIfComplete ?? false;
    this.listeners = definition.listeners ?? [];
  }

  async execute(run: StepRun<Tx>): Promise<void> {
    const { scope, execution, signal } = run;
    const reader = await bound(this.definition.reader, scope);
    const processor = await bound(this.definition.processor, scope);
    const writer = await bound(this.definition.writer, scope);
    const parts = { reader, processor, writer };
    for (const part of listenersAmong<I, O, Tx>(parts)) {
      run.listeners.push(part);
      await part.beforeStep?.(scope);
    }
    const streams = new Streams(parts, this.definition.streams ?? [], scope);
    const step = this.toChunkStep(run, parts, streams);
    await streams.during(async () => {
      await step.execute(execution, signal);
    });
  }

  private toChunkStep(run: StepRun<Tx>, parts: Parts<I, O, Tx>, streams: Streams) {
    const { name, chunkSize, completionPolicy, skipPolicy, retryPolicy } = this.definition;
    const { keepsTransaction, scan, concurrency } = this.definition;
    const { transactionManager, scope, execution, repository } = run;
    const reader = asStream(parts.reader);
    const listeners: ChunkStepListener<I, O, Tx>[] = [
      ...run.commonListeners,
      ...(this.definition.listeners ?? []),
      ...listenersAmong<I, O, Tx>(parts),
    ];
    const handler = new ItemChunkHandler<I, O, unknown, Tx>({
      ...parts,
      ...{ transactionManager, scope, completionPolicy, skipPolicy, retryPolicy },
      ...{ keepsTransaction, scan, concurrency, listeners },
    });
    /** The context as the last attempt has handed it to its commit. */
    let handedOver = '';
    return new ChunkStep({
      name,
      chunkSize,
      handler,
      transactionManager,
      retryPolicy: handler.chunkRetryPolicy,
      listeners: [...listeners.map((listener) => ofChunks(listener, scope)), keeper(execution, reader)],
      beforeRetry: async (tx) => {
        if (!(await repository.isSaved(tx, execution))) return;
        execution.context.restore(handedOver);
        throw new AlreadyCommittedError();
      },
      beforeCommit: async (tx, _, { contribution, skipped }) => {
        await streams.update();
        handedOver = execution.context.snapshot();
        const counts = contribution.readCount + contribution.readSkipCount > 0;
        const progress = shareOf(reader);
        const chunk = { execution, contribution, counts, skipped: skipped.map(toRecord), progress };
        const { alreadyCommitted, stopRequested } = await repository.saveProgress(tx, chunk);
        if (stopRequested) run.stop();
        if (alreadyCommitted) throw new AlreadyCommittedError();
      },
    });
  }
}

function ofChunks<I, O, Tx>(
  listener: ChunkStepListener<I, O, Tx>,
  scope: StepScope,
): ChunkListener<ReadItems<I>, WrittenItems<I, O, unknown>> {
  return {
    beforeChunk: () => listener.beforeChunk?.(scope),
    afterChunk: (read, written) => listener.afterChunk?.(read, written, scope),
    onChunkError: (error, read) => listener.onChunkError?.(error, read, scope),
    onChunkRetry: (error, retries) => listener.onChunkRetry?.(error, retries, scope),
  };
}

/** Keeps context and progress with the commits: what an attempt has changed is undone with its transaction. */
function keeper(execution: StepExecution, reader: ItemStream) {
  let committed = execution.context.snapshot();
  return {
    afterChunk: () => {
      execution.version += 1;
      execution.progress = shareOf(reader) ?? execution.progress;
      committed = execution.context.snapshot();
    },
    onChunkError: () => execution.context.restore(committed),
  } satisfies ChunkListener<unknown, unknown>;
}

/** Nothing depends on it, so an answer of a reader that makes no sense harms nothing. */
function shareOf(reader: ItemStream): number | undefined {
  const share = reader.progress?.();
  return share === undefined || Number.isNaN(share) ? undefined : Math.min(1, Math.max(0, share));
}

interface Parts<I, O, Tx> {
  reader: ItemReader<I, Tx>;
  processor: ItemProcessor<I, O, Tx>;
  writer: ItemWriter<O, unknown, Tx>;
}

async function bound<T extends object>(part: LateBound<T>, scope: StepScope): Promise<T> {
  return typeof part === 'function' ? part(scope) : part;
}

/** A reader, processor or writer that has methods of a listener is told as one. */
function listenersAmong<I, O, Tx>(parts: Parts<I, O, Tx>): ChunkStepListener<I, O, Tx>[] {
  return Object.values<object>({ ...parts }).filter((part) => LISTENER_METHOD.test([...methodsOf(part)].join(' ')));
}

const LISTENER_METHOD = /\b(before|after|on)(Step|Chunk|Read|Process|Write|Skip)/;

function* methodsOf(part: object): Generator<string> {
  for (let at: unknown = part; at !== null && at !== Object.prototype; at = Object.getPrototypeOf(at)) {
    yield* Object.getOwnPropertyNames(at);
  }
}

/** The parts of a step that open something, with their places in the context. */
class Streams {
  private readonly streams: { stream: ItemStream; name: string }[] = [];
  private opened = 0;

  constructor(
    parts: Readonly<Record<string, object>>,
    others: readonly ItemStream[],
    private readonly scope: StepScope,
  ) {
    const all = [
      ...Object.entries(parts),
      ...others.map((stream, index): [string, object] => [`stream${index + 1}`, stream]),
    ];
    for (const [role, part] of all) {
      const stream = part as ItemStream;
      if (stream.open ?? stream.update ?? stream.close) this.streams.push({ stream, name: stream.name ?? role });
    }
  }

  /** Opens all, works, and closes what was opened. What closing throws never replaces what the work threw. */
  async during(work: () => Promise<void>): Promise<void> {
    let failure: { error: unknown } | undefined;
    try {
      for (const { stream, name } of this.streams) {
        this.opened += 1;
        await stream.open?.(this.scope.step.context.of(name), this.scope);
      }
      await work();
    } catch (error) {
      failure = { error };
    }
    for (const { stream } of this.streams.slice(0, this.opened).reverse()) {
      try {
        await stream.close?.();
      } catch (error) {
        failure ??= { error };
      }
    }
    if (failure !== undefined) throw failure.error;
  }

  async update(): Promise<void> {
    for (const { stream, name } of this.streams) await stream.update?.(this.scope.step.context.of(name));
  }
}

const MAX_ITEM_LENGTH = 2000;
const MAX_MESSAGE_LENGTH = 2000;

function toRecord<I, O>(skipped: SkippedItem<I, O>): SkippedItemRecord {
  const { phase, error } = skipped;
  return {
    phase,
    item: phase === 'read' ? null : cut(textOf(skipped.item), MAX_ITEM_LENGTH),
    errorName: errorNameOf(error),
    message: cut(error instanceof Error ? error.message : String(error), MAX_MESSAGE_LENGTH),
  };
}

/** PostgreSQL stores no NUL. */
const cut = (text: string, length: number): string => text.slice(0, length).replaceAll('\0', '\\0').toWellFormed();

function textOf(item: unknown): string {
  try {
    return (
      JSON.stringify(item, (_, value: unknown) => (typeof value === 'bigint' ? String(value) : value)) ?? String(item)
    );
  } catch {
    return String(item);
  }
}
