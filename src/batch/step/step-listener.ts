import type { Awaitable } from '../awaitable.js';
import type { ItemListener } from '../chunk/item-listener.js';
import type { ReadItems, WrittenItems } from '../chunk/item-chunk-handler.js';
import type { ExitStatus } from '../model/exit-status.js';
import type { StepExecution } from '../model/step-execution.js';
import type { StepScope } from './step-scope.js';

/** Is told of the beginning and the end of a step. */
export interface StepListener {
  beforeStep?(scope: StepScope): Awaitable<void>;
  /** The exit status that it answers is joined with that of the step: the worse code counts. */
  afterStep?(execution: StepExecution, scope: StepScope): Awaitable<ExitStatus | void>;
}

/** Is told what becomes of the chunks of a step. See `ChunkListener` for when, and for what a failure of a listener means. */
export interface StepChunkListener<I, O> {
  beforeChunk?(scope: StepScope): Awaitable<void>;
  afterChunk?(read: ReadItems<I>, written: WrittenItems<I, O, unknown>, scope: StepScope): Awaitable<void>;
  onChunkError?(error: unknown, read: ReadItems<I> | undefined, scope: StepScope): Awaitable<void>;
  onChunkRetry?(error: unknown, retries: number, scope: StepScope): Awaitable<void>;
}

/** Every kind of listener of a chunk-oriented step in one. */
export type ChunkStepListener<I, O, Tx> = StepListener & ItemListener<I, O, Tx> & StepChunkListener<I, O>;
