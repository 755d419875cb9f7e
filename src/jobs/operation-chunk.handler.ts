import type { ChunkContext, ChunkHandler, ReadChunk, WrittenChunk } from '../batch/chunk-handler.js';
import type { CatalogService } from '../services/catalog/catalog.service.js';
import type { SqlClient } from '../services/database/sql.js';
import type { BoundOperation } from '../services/planner/bound-operation.js';
import type { Scope } from '../services/queue/claim-scope.js';
import { leaving, type Claim, type ClaimService } from '../services/queue/claim.service.js';
import type { LanesService } from '../services/queue/lanes.service.js';
import type { ClaimedOperation, SettledChunk, SettledOperation } from '../services/queue/operation-record.js';
import type { QueueService } from '../services/queue/queue.service.js';
import { bindOperations, type BoundOperations } from './bind-operations.js';
import { metStaleTable } from './met-stale-table.js';
import { NOTHING_EXECUTED, type OperationRunner, type Run } from './operation-runner.js';
import { runWithDeferrals, type DeferredRun } from './run-with-deferrals.js';
import { StaleCatalogError } from './stale-catalog.error.js';

export interface ClaimedChunk extends ReadChunk {
  claim: Claim;
}

export interface BoundChunk extends BoundOperations {
  claim: Claim;
}

export interface SettledOperations extends WrittenChunk {
  /** The claim, without what the execution has left in the queue. */
  claim: Claim;
  /** Every operation of the claim with its outcome, but for those that were left. */
  operations: readonly SettledOperation[];
  /** Undefined when no operation has a verdict. */
  settled: SettledChunk | undefined;
}

const NOTHING_RUN: DeferredRun = { outcomes: [], summary: NOTHING_EXECUTED };

/**
 * The work on a chunk of operations: claim → bind → plan → execute → defer → settle. All of it is one transaction, so an operation
 * takes effect exactly once, whichever process dies and when. It promises that a rollback leaves the operations in the queue.
 */
export class OperationChunkHandler implements ChunkHandler<ClaimedChunk, BoundChunk, SettledOperations, SqlClient> {
  constructor(
    private readonly claims: ClaimService,
    private readonly catalog: CatalogService,
    private readonly runner: OperationRunner,
    private readonly queue: QueueService,
    private readonly lanes: LanesService,
    /** What the next claim may take. */
    private readonly scope: () => Scope,
    /** Before the first retry of an operation. */
    private readonly initialDelayMs: number,
  ) {}

  async read(limit: number, { tx }: ChunkContext<SqlClient>): Promise<ClaimedChunk> {
    const scope = this.scope();
    const claim = await this.claims.claim(tx, { ...scope, limit: Math.min(scope.limit, limit) });
    return { claim, more: claim.full };
  }

  async process({ claim }: ClaimedChunk, { previousError }: ChunkContext<SqlClient>): Promise<BoundChunk> {
    const { operations } = claim;
    if (operations.length === 0) return { claim, bound: [], refused: [], tablesAreCurrent: true };
    const anew = previousError instanceof StaleCatalogError;
    return { claim, ...(await bindOperations(operations, this.catalog, anew)) };
  }

  async write(chunk: BoundChunk, { tx }: ChunkContext<SqlClient>): Promise<SettledOperations> {
    const { claim, bound, refused } = chunk;
    const { outcomes, summary } = bound.length === 0 ? NOTHING_RUN : await this.run(tx, chunk);
    const executed: SettledOperation[] = [];
    const left: ClaimedOperation[] = [];
    bound.forEach(({ operation }, index) => {
      const outcome = outcomes[index]!;
      if (outcome.status === 'left') left.push(operation);
      else executed.push({ operation, outcome });
    });
    const operations = [...executed, ...refused];
    const execution = { worker: this.lanes.worker, startedAt: new Date(claim.claimedAt), ...summary };
    const settled = operations.length === 0 ? undefined : await this.queue.settle(tx, execution, operations);
    return { claim: leaving(claim, left), operations, settled, contribution: toContribution(executed, refused) };
  }

  private run(tx: SqlClient, { claim, bound, tablesAreCurrent }: BoundChunk): Promise<DeferredRun> {
    return runWithDeferrals(bound, {
      tx,
      run: (operations) => this.runOnce(tx, operations, tablesAreCurrent),
      allowReleases: claim.holdsReleases ? () => this.claims.allowReleases(tx) : undefined,
      initialDelayMs: this.initialDelayMs,
    });
  }

  private async runOnce(tx: SqlClient, operations: readonly BoundOperation[], tablesAreCurrent: boolean): Promise<Run> {
    const run = await this.runner.run(tx, operations);
    if (!tablesAreCurrent && (await metStaleTable(tx, operations, run.outcomes))) throw new StaleCatalogError();
    return run;
  }
}

/** An operation without a success counts as skipped, also when it is only deferred. */
function toContribution(
  executed: readonly SettledOperation[],
  refused: readonly SettledOperation[],
): SettledOperations['contribution'] {
  const completed = executed.filter(({ outcome }) => outcome.status === 'completed').length;
  return {
    readCount: executed.length + refused.length,
    writeCount: completed,
    filterCount: 0,
    readSkipCount: 0,
    processSkipCount: refused.length,
    writeSkipCount: executed.length - completed,
  };
}
