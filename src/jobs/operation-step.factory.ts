import { Inject, Injectable, Logger } from '@nestjs/common';
import type { ChunkListener } from '../batch/chunk/chunk-listener.js';
import { ChunkStep } from '../batch/chunk/chunk-step.js';
import type { RetryPolicy } from '../batch/chunk/retry-policy.js';
import { StepCounters } from '../batch/model/step-counters.js';
import { SqlTransactionManager } from '../batch/sql/sql-transaction-manager.js';
import type { RetryReason } from '../interfaces/operation.js';
import { CatalogService } from '../services/catalog/catalog.service.js';
import { SETTINGS, type Settings } from '../services/config/settings.js';
import { DatabaseService } from '../services/database/database.service.js';
import { ExecutorService } from '../services/executor/executor.service.js';
import { BugsService } from '../services/health/bugs.service.js';
import { MetricsService } from '../services/observability/metrics.service.js';
import type { ClaimScope } from '../services/queue/claim-scope.js';
import { ClaimService, type Claim } from '../services/queue/claim.service.js';
import type { SettledChunk, SettledOperation } from '../services/queue/operation-record.js';
import { QueueService } from '../services/queue/queue.service.js';
import { retryReasonOf } from '../services/retry/retry-reason.js';
import { ChunkTraces } from '../services/tracing/chunk-traces.js';
import { WakeUpService } from '../services/wake-up/wake-up.service.js';
import { OperationChunkHandler, type ClaimedChunk, type SettledOperations } from './operation-chunk.handler.js';
import { OperationRunner } from './operation-runner.js';

export interface OperationStepOptions {
  /** What the next claim may take. */
  scope: () => ClaimScope;
  retryPolicy: RetryPolicy;
  /** It is called for each chunk, after the service has recorded the result. */
  listener: ChunkListener<ClaimedChunk, SettledOperations>;
}

/**
 * Executes one chunk of operations and commits it. Returns its claim, which is `full` when some operations were left.
 */
export type ExecuteChunk = (signal: AbortSignal) => Promise<Claim>;

/**
 * Builds the chunk-oriented step that executes operations from the queue on the target tables. A transient fault undoes
 * the whole chunk, and no operation fails. If the database refuses an operation, only that operation fails.
 */
@Injectable()
export class OperationStepFactory {
  private readonly logger = new Logger('OperationChunk');
  private readonly runner: OperationRunner;
  private readonly traces: ChunkTraces;

  constructor(
    @Inject(SETTINGS) private readonly settings: Settings,
    private readonly database: DatabaseService,
    private readonly catalog: CatalogService,
    executor: ExecutorService,
    private readonly queue: QueueService,
    private readonly claims: ClaimService,
    private readonly metrics: MetricsService,
    private readonly bugs: BugsService,
    private readonly wakeUp: WakeUpService,
  ) {
    const { mode, maxSubtransactions, statementTimeoutMs } = settings.execution;
    const limits = { blocks: maxSubtransactions, budgetMs: statementTimeoutMs / 4 };
    this.traces = new ChunkTraces(database);
    this.runner = new OperationRunner(mode, executor, bugs, limits);
  }

  /** The maximum number of operations of a chunk. */
  get chunkLimit(): number {
    const { poller, execution } = this.settings;
    // In one-by-one execution, each operation adds a subtransaction.
    return execution.mode === 'serial' ? Math.min(poller.limit, execution.maxSubtransactions) : poller.limit;
  }

  create({ scope, retryPolicy, listener }: OperationStepOptions): ExecuteChunk {
    const { claims, catalog, runner, queue, database } = this;
    const { operationRetryDelayMs } = this.settings.execution;
    const step = new ChunkStep({
      name: 'operations',
      chunkSize: this.chunkLimit,
      handler: new OperationChunkHandler(claims, catalog, runner, queue, scope, operationRetryDelayMs),
      transactionManager: new SqlTransactionManager(database),
      readerIsTransactionalQueue: true,
      retryPolicy,
      // The last listener is called first.
      listeners: [listener, this.bookkeeper()],
    });
    return async (signal) => (await step.executeChunk(new StepCounters(), signal)).written.claim;
  }

  private bookkeeper(): ChunkListener<ClaimedChunk, SettledOperations> {
    return {
      afterChunk: (_, { claim, operations, settled }) => {
        this.claims.committed(claim);
        if (settled !== undefined) this.noteSettled(settled);
        for (const reason of operations.flatMap(reasonToComeAgain)) this.metrics.recordOperationRetry(reason);
        return settled && this.traces.committed({ settled, operations });
      },
      onChunkError: (error, read) => {
        // The remembered tables may be the cause.
        this.catalog.invalidate();
        this.bugs.report('chunk', error);
        if (read !== undefined) this.traces.undone(error, read.claim.claimedAt, read.claim.operations.length);
      },
      onChunkRetry: (error, retries) => {
        this.metrics.recordChunkRetry();
        this.logger.warn({ message: 'Trying the chunk again', retries, reason: (error as Error).message });
      },
    };
  }

  private noteSettled(settled: SettledChunk): void {
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

function reasonToComeAgain({ outcome }: SettledOperation): RetryReason[] {
  if (outcome.status !== 'deferred' || outcome.error === undefined) return [];
  const reason = retryReasonOf(outcome.error.code);
  return reason === undefined ? [] : [reason];
}
