import { Logger } from '@nestjs/common';
import { setTimeout as wait } from 'node:timers/promises';
import type { Awaitable } from '../awaitable.js';
import { BrokenTransactionError } from './broken-transaction.js';
import type { ChunkContext, ChunkHandler, ReadChunk, WrittenChunk } from './chunk-handler.js';
import type { ChunkListener } from './chunk-listener.js';
import { neverRetry, type RetryPolicy } from './retry-policy.js';
import { StepCounters } from '../model/step-counters.js';
import type { TransactionManager } from './transaction-manager.js';

export interface ChunkStepDefinition<Read extends ReadChunk, Processed, Written extends WrittenChunk, Tx> {
  /** Names the step in the log. */
  name: string;
  /** The maximum number of items of one transaction. */
  chunkSize: number;
  handler: ChunkHandler<Read, Processed, Written, Tx>;
  transactionManager: TransactionManager<Tx>;
  /** Default: nothing is retried. */
  retryPolicy?: RetryPolicy;
  /**
   * True when the handler takes its items within the chunk's transaction, so that a rollback puts them back and a retry
   * reads them again. Otherwise what a failed attempt has read is kept for the next attempt.
   */
  readerIsTransactionalQueue?: boolean;
  listeners?: readonly ChunkListener<Read, Written>[];
  /**
   * Called first in an attempt that follows a failed one. It throws `AlreadyCommittedError` when the commit of the attempt before has
   * happened: what that one has written must not be written again, and no item be blamed for meeting it.
   */
  beforeRetry?: (tx: Tx) => Promise<void>;
  /** Called last in the transaction of a chunk: keeps what has to be committed with it. */
  beforeCommit?: (tx: Tx, read: Read, written: Written) => Promise<void>;
}

/**
 * A commit whose answer was lost has happened. The attempt that follows throws it, is undone, and the chunk counts as committed, with
 * what the attempt before has written.
 */
export class AlreadyCommittedError extends Error {}

/** A chunk that is committed. */
export interface CommittedChunk<Read, Written> {
  read: Read;
  written: Written;
}

/**
 * The chunk-oriented step: reads up to `chunkSize` items, processes them, writes them, and commits, in one transaction.
 * It promises that what is committed was read, processed and written together, and that it counts only what is committed.
 * What a chunk is, and what becomes of a bad item, is left to the handler.
 */
export class ChunkStep<Read extends ReadChunk, Processed, Written extends WrittenChunk, Tx> {
  private readonly logger = new Logger('ChunkStep');

  constructor(private readonly definition: ChunkStepDefinition<Read, Processed, Written, Tx>) {}

  /** Executes chunk after chunk until the input comes to its end, or the signal is aborted. */
  async execute(execution = new StepCounters(), signal?: AbortSignal): Promise<StepCounters> {
    let more = true;
    while (more && signal?.aborted !== true) ({ more } = (await this.executeChunk(execution, signal)).read);
    return execution;
  }

  /** Executes one chunk to its commit; in a new transaction for each retry. */
  async executeChunk(execution: StepCounters, signal?: AbortSignal): Promise<CommittedChunk<Read, Written>> {
    const chunk = await this.commitChunk(execution, signal);
    execution.committed(chunk.written.contribution);
    for (const listener of this.listeners) await listener.afterChunk?.(chunk.read, chunk.written);
    return chunk;
  }

  private async commitChunk(execution: StepCounters, signal?: AbortSignal): Promise<CommittedChunk<Read, Written>> {
    const { retryPolicy = neverRetry, readerIsTransactionalQueue = false } = this.definition;
    const attempt: Attempt<Read, Written> = {
      read: undefined,
      written: undefined,
      previousError: undefined,
      itemSavepoints: false,
    };
    for (let retries = 0; ;) {
      for (const listener of this.definition.listeners ?? []) await listener.beforeChunk?.();
      try {
        return await this.attempt(attempt, execution, retries);
      } catch (error) {
        const { read, written } = attempt;
        if (error instanceof AlreadyCommittedError) {
          // The attempt before was counted as rolled back.
          execution.rollbackCount -= 1;
          return { read: read!, written: written! };
        }
        execution.rolledBack();
        await this.tell('onChunkError', (listener) => listener.onChunkError?.(error, read));
        if (error instanceof BrokenTransactionError && !attempt.itemSavepoints) {
          // Not a retry of the policy: nothing is known yet to have failed but one item.
          attempt.itemSavepoints = true;
          attempt.previousError = error;
          if (readerIsTransactionalQueue) attempt.read = undefined;
          continue;
        }
        if (!retryPolicy.canRetry(error, retries)) {
          execution.readCount += read?.takenCount ?? 0;
          throw error;
        }
        await this.tell('onChunkRetry', (listener) => listener.onChunkRetry?.(error, retries + 1));
        await wait(retryPolicy.backOffMs(retries), undefined, { signal }).catch(() => undefined);
        if (signal?.aborted === true) throw error;
        attempt.previousError = error;
        retries += 1;
        if (readerIsTransactionalQueue) attempt.read = undefined;
      }
    }
  }

  private attempt(
    attempt: Attempt<Read, Written>,
    execution: StepCounters,
    retries: number,
  ): Promise<CommittedChunk<Read, Written>> {
    const { handler, chunkSize, transactionManager, beforeRetry, beforeCommit } = this.definition;
    const { previousError, itemSavepoints } = attempt;
    return transactionManager.transaction(async (tx) => {
      if (previousError !== undefined) await beforeRetry?.(tx);
      const context: ChunkContext<Tx> = { tx, execution, previousError, retries, itemSavepoints };
      const read = (attempt.read ??= await handler.read(chunkSize, context));
      const processed = await handler.process(read, context);
      const written = (attempt.written = await handler.write(processed, context));
      await beforeCommit?.(tx, read, written);
      return { read, written };
    });
  }

  private get listeners(): readonly ChunkListener<Read, Written>[] {
    return [...(this.definition.listeners ?? [])].reverse();
  }

  /** The error that the listeners are told of is the one that counts. Their own errors are only logged. */
  private async tell(
    what: keyof ChunkListener<Read, Written>,
    call: (listener: ChunkListener<Read, Written>) => Awaitable<void> | undefined,
  ): Promise<void> {
    for (const listener of this.listeners) {
      try {
        await call(listener);
      } catch (error) {
        this.logger.error({ message: `${what} of a listener of step ${this.definition.name} failed`, err: error });
      }
    }
  }
}

interface Attempt<Read, Written> {
  /** What the attempt has read, or was given by the one before it. */
  read: Read | undefined;
  written: Written | undefined;
  previousError: unknown;
  itemSavepoints: boolean;
}
