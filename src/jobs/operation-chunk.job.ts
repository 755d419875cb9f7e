import { hostname } from 'node:os';
import { Inject, Injectable, Logger } from '@nestjs/common';
import { ChunkStep, type Chunk, type SkippedItem } from '../batch/chunk-step.js';
import type { ItemContext } from '../batch/item.js';
import { exponentialBackOff, limitedRetry, type BackOff } from '../batch/retry-policy.js';
import { limitedSkip } from '../batch/skip-policy.js';
import { CatalogService } from '../services/catalog/catalog.service.js';
import { SETTINGS, type Settings } from '../services/config/settings.js';
import { DatabaseService } from '../services/database/database.service.js';
import type { SqlClient } from '../services/database/sql.js';
import { errorKind } from '../services/database/sql-state.js';
import { ExecutorService } from '../services/executor/executor.service.js';
import { MAX_RELEASED_SAVEPOINTS } from '../services/executor/target.writer.js';
import { MetricsService } from '../services/observability/metrics.service.js';
import type { BoundOperation } from '../services/planner/bound-operation.js';
import type { PollTask } from '../services/poller/poller.js';
import { ClaimScope } from '../services/queue/claim-scope.js';
import type { ClaimedOperation, Outcome, SettledChunk, SettledOperation } from '../services/queue/operation-record.js';
import { QueueService } from '../services/queue/queue.service.js';
import { SurveyService } from '../services/survey/survey.service.js';
import { WakeUpService } from '../services/wake-up/wake-up.service.js';
import { BindProcessor } from './bind.processor.js';
import { ClaimReader } from './claim.reader.js';
import { OperationFailedError } from './operation-failed.error.js';
import { NOTHING_EXECUTED, OperationWriter } from './operation.writer.js';
import { StaleCatalogError } from './stale-catalog.error.js';
import { SqlTransactionManager } from './sql-transaction-manager.js';

const RETRY_LIMIT = 5;
const RETRY_BACK_OFF: BackOff = { initialMs: 20, multiplier: 2, maxMs: 1000, jitter: 0.5 };
const FAILURE_BACK_OFF: BackOff = { initialMs: 100, multiplier: 2, maxMs: 10_000, jitter: 0.5 };
/** Scheduled operations are looked for at least this often while the queue is busy. */
const RELEASE_INTERVAL_MS = 250;

type OperationChunk = Chunk<ClaimedOperation, BoundOperation, number>;

/**
 * The main job: one chunk of operations from the queue into the target tables, at each call. Claiming, executing and
 * settling are one transaction, so that an operation takes effect exactly once whatever dies when. A transient fault costs
 * a retry of the whole chunk and blames nobody; what the database refuses costs that operation only.
 */
@Injectable()
export class OperationChunkJob implements PollTask {
  private readonly logger = new Logger(OperationChunkJob.name);
  private readonly worker = `${hostname()}:${process.pid}`;
  private readonly scope: ClaimScope;
  private readonly reader: ClaimReader;
  private readonly writer: OperationWriter;
  private readonly step: ChunkStep<ClaimedOperation, BoundOperation, number, SqlClient>;
  private startedAt = new Date();
  private settled: SettledChunk | undefined;
  private nextReleaseAt = 0;

  constructor(
    @Inject(SETTINGS) private readonly settings: Settings,
    database: DatabaseService,
    catalog: CatalogService,
    survey: SurveyService,
    executor: ExecutorService,
    private readonly queue: QueueService,
    private readonly metrics: MetricsService,
    private readonly wakeUp: WakeUpService,
  ) {
    const limit = chunkLimit(settings);
    this.scope = new ClaimScope(limit);
    this.reader = new ClaimReader(queue, this.scope);
    const processor = new BindProcessor(catalog, this.reader);
    this.writer = new OperationWriter(settings.execution.mode, survey, executor, () => processor.knowsTables);
    this.step = new ChunkStep({
      name: 'operations',
      chunkSize: limit,
      reader: this.reader,
      processor,
      writer: this.writer,
      transactionManager: new SqlTransactionManager(database),
      readerIsTransactionalQueue: true,
      skipPolicy: limitedSkip(Infinity, (error) => error instanceof OperationFailedError),
      retryPolicy: limitedRetry(RETRY_LIMIT, (error) => errorKind(error) === 'transient', RETRY_BACK_OFF),
      saveChunk: (chunk, context) => this.settle(chunk, context),
      onRollback: (error) => {
        // What is wrong with what is remembered is no reason to take fewer operations.
        if (!(error instanceof StaleCatalogError)) this.scope.failed(this.reader.claimedLanes, Date.now());
        this.reader.forget();
        // What is known of the tables may be the reason.
        catalog.invalidate();
      },
      onRetry: (error, retries) => {
        this.metrics.recordChunkRetry();
        this.logger.warn({ message: 'Chunk is tried again', retries: retries + 1, reason: (error as Error).message });
      },
    });
  }

  /** Executes one chunk. Answers when to come again: at once after a full chunk, else when the next is due. */
  async poll(signal: AbortSignal): Promise<number> {
    await this.releaseDue();
    this.startedAt = new Date();
    this.settled = undefined;
    this.reader.forget();
    await this.step.executeChunk(signal);
    this.scope.succeeded(this.reader.claimedLanes);
    this.afterCommit();
    return this.reader.claim?.full === true ? 0 : this.idleDelay();
  }

  afterFailure(error: unknown, failures: number): number {
    const delayMs = exponentialBackOff(FAILURE_BACK_OFF, failures - 1);
    this.logger.error({ message: 'Chunk failed; its operations stay pending', failures, delayMs, err: error });
    return delayMs;
  }

  private async settle(chunk: OperationChunk, { tx }: ItemContext<SqlClient>): Promise<void> {
    const { worker, startedAt } = this;
    const executed = chunk.written.length > 0 || chunk.skipped.some(({ phase }) => phase === 'write');
    const execution = executed ? this.writer.execution : NOTHING_EXECUTED;
    this.settled = await this.queue.settle(tx, { worker, startedAt, ...execution }, toSettledOperations(chunk));
  }

  private afterCommit(): void {
    if (this.reader.claim !== undefined) this.queue.committed(this.reader.claim);
    if (this.settled === undefined) return;
    // Only after the commit: a listener must never see what rolls back.
    this.metrics.recordChunk(this.settled);
    this.wakeUp.chunkSettled();
    const { id, completed, groups, statements, fallback, durationMs, failedByCode } = this.settled;
    this.logger.log({
      message: 'Chunk settled',
      chunkId: id,
      completed,
      failed: Object.fromEntries(failedByCode),
      groups,
      statements,
      fallback,
      durationMs,
    });
  }

  private async releaseDue(): Promise<void> {
    if (Date.now() < this.nextReleaseAt) return;
    await this.queue.releaseDue();
    this.nextReleaseAt = Date.now() + RELEASE_INTERVAL_MS;
  }

  private async idleDelay(): Promise<number> {
    const dueInMs = await this.queue.nextDueInMs();
    this.nextReleaseAt = 0;
    const nextTryInMs = this.scope.nextTryInMs(Date.now());
    return Math.min(this.settings.poller.intervalMs, dueInMs ?? Infinity, nextTryInMs ?? Infinity);
  }
}

/** One by one, each operation leaves a savepoint behind. */
function chunkLimit({ poller, execution }: Settings): number {
  return execution.mode === 'serial' ? Math.min(poller.limit, MAX_RELEASED_SAVEPOINTS) : poller.limit;
}

/** Every operation of the chunk with its verdict. */
function toSettledOperations({ written, skipped }: OperationChunk): SettledOperation[] {
  return [
    ...written.map(({ item, result }) => ({
      operation: item.operation,
      outcome: { status: 'completed', rowsAffected: result } satisfies Outcome,
    })),
    ...skipped.map((item) => ({ operation: operationOf(item), outcome: failure(item.error) })),
  ];
}

function operationOf(skipped: SkippedItem<ClaimedOperation, BoundOperation>): ClaimedOperation {
  switch (skipped.phase) {
    case 'process':
      return skipped.item;
    case 'write':
      return skipped.item.operation;
    case 'read':
      throw new Error('A claim has no single operation that could fail to be read', { cause: skipped.error });
    default:
      return skipped satisfies never;
  }
}

function failure(error: unknown): Outcome {
  if (!(error instanceof OperationFailedError)) throw error;
  return { status: 'failed', error: error.operationError };
}
