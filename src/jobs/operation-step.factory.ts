import { Inject, Injectable, Logger } from '@nestjs/common';
import { ChunkStep, type Chunk, type SkippedItem } from '../batch/chunk-step.js';
import type { Awaitable, ItemContext } from '../batch/item.js';
import type { RetryPolicy } from '../batch/retry-policy.js';
import { limitedSkip } from '../batch/skip-policy.js';
import type { RetryReason } from '../interfaces/operation.js';
import { CatalogService } from '../services/catalog/catalog.service.js';
import { SETTINGS, type Settings } from '../services/config/settings.js';
import { DatabaseService } from '../services/database/database.service.js';
import type { SqlClient } from '../services/database/sql.js';
import { BugsService } from '../services/health/bugs.service.js';
import { ExecutorService } from '../services/executor/executor.service.js';
import { MAX_RELEASED_SAVEPOINTS } from '../services/executor/target.writer.js';
import { MetricsService } from '../services/observability/metrics.service.js';
import type { BoundOperation } from '../services/planner/bound-operation.js';
import type { Scope } from '../services/queue/claim-scope.js';
import { LanesService } from '../services/queue/lanes.service.js';
import type {
  ClaimedOperation,
  DeferredOutcome,
  Outcome,
  SettledChunk,
  SettledOperation,
} from '../services/queue/operation-record.js';
import { ClaimService, type Claim } from '../services/queue/claim.service.js';
import { QueueService } from '../services/queue/queue.service.js';
import { retryReasonOf } from '../services/retry/retry-reason.js';
import { SurveyService } from '../services/survey/survey.service.js';
import { WakeUpService } from '../services/wake-up/wake-up.service.js';
import { BindProcessor } from './bind.processor.js';
import { ClaimReader } from './claim.reader.js';
import { DeferringWriter } from './deferring.writer.js';
import { OperationDeferredError } from './operation-deferred.error.js';
import { OperationFailedError } from './operation-failed.error.js';
import { NOTHING_EXECUTED, OperationWriter } from './operation.writer.js';
import { StaleCatalogError } from './stale-catalog.error.js';
import { SqlTransactionManager } from './sql-transaction-manager.js';

type OperationChunk = Chunk<ClaimedOperation, BoundOperation, number>;

export interface OperationStepOptions {
  /** What the next claim may take. */
  scope: () => Scope;
  retryPolicy: RetryPolicy;
  /** Called after each failed attempt, with the operations that it had claimed. */
  onRollback: (error: unknown, claimed: readonly ClaimedOperation[]) => Awaitable<void>;
}

/** Executes operations chunk by chunk. */
export interface OperationStep {
  /** Executes one chunk to its commit. Returns the claim of which it was made. */
  execute(signal: AbortSignal): Promise<Claim>;
}

/**
 * Builds the chunk-oriented step of the service: operations from the queue into the target tables. Claiming, executing
 * and settling are one transaction, so an operation takes effect exactly once, whichever process dies and when. A
 * transient fault undoes the whole chunk and blames no operation. If the database refuses an operation, only that one
 * fails.
 */
@Injectable()
export class OperationStepFactory {
  private readonly logger = new Logger('OperationChunk');

  constructor(
    @Inject(SETTINGS) private readonly settings: Settings,
    private readonly database: DatabaseService,
    private readonly catalog: CatalogService,
    private readonly survey: SurveyService,
    private readonly executor: ExecutorService,
    private readonly queue: QueueService,
    private readonly claims: ClaimService,
    private readonly lanes: LanesService,
    private readonly metrics: MetricsService,
    private readonly bugs: BugsService,
    private readonly wakeUp: WakeUpService,
  ) {}

  /** The maximum number of operations of a chunk. */
  get chunkLimit(): number {
    const { poller, execution } = this.settings;
    // Executed one by one, each operation leaves a savepoint behind.
    return execution.mode === 'serial' ? Math.min(poller.limit, MAX_RELEASED_SAVEPOINTS) : poller.limit;
  }

  create({ scope, retryPolicy, onRollback }: OperationStepOptions): OperationStep {
    const reader = new ClaimReader(this.claims, scope);
    const processor = new BindProcessor(this.catalog, reader);
    const { mode, operationRetryDelayMs } = this.settings.execution;
    const writer = new DeferringWriter(
      new OperationWriter(mode, this.survey, this.executor, this.bugs, () => processor.knowsTables),
      {
        holdsReleases: () => reader.claim?.holdsReleases ?? false,
        allowReleases: (tx) => this.claims.allowReleases(tx),
      },
      operationRetryDelayMs,
    );
    let startedAt = new Date();
    let settled: SettledChunk | undefined;
    let retried: RetryReason[] = [];

    const settle = async (chunk: OperationChunk, { tx }: ItemContext<SqlClient>): Promise<void> => {
      const executed = chunk.written.length > 0 || chunk.skipped.some(({ phase }) => phase === 'write');
      const execution = executed ? writer.execution : NOTHING_EXECUTED;
      const { worker } = this.lanes;
      const operations = toSettledOperations(chunk);
      settled = await this.queue.settle(tx, { worker, startedAt, ...execution }, operations);
      retried = operations.flatMap(reasonToComeAgain);
    };
    const step = new ChunkStep<ClaimedOperation, BoundOperation, number, SqlClient>({
      name: 'operations',
      chunkSize: this.chunkLimit,
      reader,
      processor,
      writer,
      transactionManager: new SqlTransactionManager(this.database),
      readerIsTransactionalQueue: true,
      skipPolicy: limitedSkip(Infinity, isVerdict),
      retryPolicy,
      saveChunk: settle,
      onRollback: async (error) => {
        const claimed = reader.claim?.operations ?? [];
        reader.forget();
        settled = undefined;
        // What is remembered of the tables may be the reason.
        this.catalog.invalidate();
        if (error instanceof StaleCatalogError) processor.readAnew();
        this.bugs.report('chunk', error);
        await onRollback(error, claimed);
      },
      onRetry: (error, retries) => {
        this.metrics.recordChunkRetry();
        this.logger.warn({ message: 'Trying the chunk again', retries: retries + 1, reason: (error as Error).message });
      },
    });

    return {
      execute: async (signal) => {
        startedAt = new Date();
        settled = undefined;
        retried = [];
        reader.forget();
        await step.executeChunk(signal);
        const { claim } = reader;
        if (claim === undefined) throw new Error('A chunk was executed without a claim');
        this.afterCommit(claim, settled);
        for (const reason of retried) this.metrics.recordOperationRetry(reason);
        return claim;
      },
    };
  }

  /** Only after the commit: a listener must never see what rolls back. */
  private afterCommit(claim: Claim, settled: SettledChunk | undefined): void {
    this.claims.committed(claim);
    if (settled === undefined) return;
    this.metrics.recordChunk(settled);
    this.wakeUp.chunkSettled();
    const { id, completed, deferred, groups, statements, fallback, durationMs, failedByCode } = settled;
    this.logger.log({
      message: 'Chunk settled',
      chunkId: id,
      completed,
      failed: Object.fromEntries(failedByCode),
      deferred,
      groups,
      statements,
      fallback,
      durationMs,
    });
  }
}

/** Refused and deferred operations are left out of the chunk. Any other error undoes the chunk. */
function isVerdict(error: unknown): boolean {
  return error instanceof OperationFailedError || error instanceof OperationDeferredError;
}

/** Every operation of the chunk with its result. */
function toSettledOperations({ written, skipped }: OperationChunk): SettledOperation[] {
  return [
    ...written.map(({ item, result }) => ({
      operation: item.operation,
      outcome: { status: 'completed', rowsAffected: result } satisfies Outcome,
    })),
    ...skipped.map((item) => ({ operation: operationOf(item), outcome: outcomeOf(item.error) })),
  ];
}

function reasonToComeAgain({ outcome }: SettledOperation): RetryReason[] {
  if (outcome.status !== 'deferred' || outcome.error === undefined) return [];
  const reason = retryReasonOf(outcome.error.code);
  return reason === undefined ? [] : [reason];
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

function outcomeOf(error: unknown): Outcome | DeferredOutcome {
  if (error instanceof OperationDeferredError) return error.outcome;
  if (!(error instanceof OperationFailedError)) throw error;
  return { status: 'failed', error: error.operationError };
}
