import type { ChunkContext, ChunkHandler, ReadChunk, WrittenChunk } from '../batch/chunk/chunk-handler.js';
import type { CatalogService } from '../services/catalog/catalog.service.js';
import type { SqlClient } from '../interfaces/sql.js';
import type { BoundOperation } from '../services/planner/bound-operation.js';
import type { ClaimScope } from '../services/queue/claim-scope.js';
import { leaving, type Claim, type ClaimService } from '../services/queue/claim.service.js';
import { WORKER_NAME } from '../services/queue/worker-name.js';
import type {
  ClaimedOperation,
  ClaimedPlace,
  SettledChunk,
  SettledOperation,
} from '../services/queue/operation-record.js';
import { PhaseTimer } from '../services/queue/phase-timer.js';
import type { QueueService } from '../services/queue/queue.service.js';
import { bindOperations, type BoundOperations } from './bind-operations.js';
import { metStaleTable, StaleCatalogError } from './met-stale-table.js';
import { inAll, NOTHING_EXECUTED, type OperationRunner, type Run } from './operation-runner.js';
import { runWithDeferrals, type DeferredRun } from './run-with-deferrals.js';

export interface ClaimedChunk extends ReadChunk {
  claim: Claim;
  timer: PhaseTimer;
}

export interface BoundChunk extends BoundOperations {
  claim: Claim;
  timer: PhaseTimer;
}

export interface SettledOperations extends WrittenChunk {
  /** The claim without the operations that stay in the queue. */
  claim: Claim;
  /** The other operations of the claim, with their outcomes. */
  operations: readonly SettledOperation[];
  /** Undefined when no operation has a verdict. */
  settled: SettledChunk | undefined;
}

interface ExecutedOperation {
  operation: SettledOperation['operation'];
  outcome: DeferredRun['outcomes'][number];
}

interface UnreadRun extends Pick<DeferredRun, 'summary'> {
  landed: ExecutedOperation[];
  rest: BoundChunk;
}

const NOTHING_BOUND: BoundOperations = { unread: [], bound: [], read: [], refused: [], tablesAreCurrent: true };
const NOTHING_RUN: DeferredRun = { outcomes: [], summary: NOTHING_EXECUTED };

/**
 * Processes a chunk of operations: claim → bind → plan → execute → defer → settle. All steps are one transaction, so an
 * operation takes effect exactly once, even if a process dies. A rollback leaves the operations in the queue.
 */
export class OperationChunkHandler implements ChunkHandler<ClaimedChunk, BoundChunk, SettledOperations, SqlClient> {
  constructor(
    private readonly claims: ClaimService,
    private readonly catalog: CatalogService,
    private readonly runner: OperationRunner,
    private readonly queue: QueueService,
    /** What the next claim may take. */
    private readonly scope: () => ClaimScope,
    /** The pause before the first retry of an operation. */
    private readonly initialDelayMs: number,
  ) {}

  async read(limit: number, { tx }: ChunkContext<SqlClient>): Promise<ClaimedChunk> {
    const timer = new PhaseTimer('claim');
    const scope = this.scope();
    const claim = await this.claims.claim(tx, { ...scope, limit: Math.min(scope.limit, limit) });
    return { claim, timer, more: claim.full };
  }

  async process({ claim, timer }: ClaimedChunk, { tx, previousError }: ChunkContext<SqlClient>): Promise<BoundChunk> {
    const { operations } = claim;
    if (operations.length === 0) return { claim, timer, ...NOTHING_BOUND };
    timer.begin('read');
    const anew = previousError instanceof StaleCatalogError;
    const read = (places: readonly ClaimedPlace[]) => this.claims.read(tx, places);
    const mayLeaveUnread = !claim.releasesBlocked && claim.paused.size === 0 && this.runner.mayLeaveUnread;
    const bound = await bindOperations(operations, { catalog: this.catalog, read, anew, mayLeaveUnread });
    return { claim, timer, ...bound };
  }

  async write(chunk: BoundChunk, { tx }: ChunkContext<SqlClient>): Promise<SettledOperations> {
    const { claim, timer } = chunk;
    const { rest, ...first } = await this.runUnread(tx, chunk);
    const second = rest.bound.length === 0 ? NOTHING_RUN : await this.run(tx, rest);
    const all = [...first.landed, ...outcomesOf(rest.bound, second)];
    const executed = all.filter((each): each is SettledOperation => each.outcome.status !== 'left');
    const left = all.flatMap(({ operation, outcome }) => (outcome.status === 'left' ? [operation] : []));
    const refused = rest.refused.map((each) => asPaused(each, claim.paused));
    const operations = [...executed, ...refused];
    const summary = inAll(first.summary, second.summary);
    timer.begin('settle');
    const execution = { worker: WORKER_NAME, startedAt: new Date(claim.claimedAt), timer, ...summary };
    const settled =
      operations.length === 0 ? undefined : await this.queue.settle(tx, execution, operations, second.keptByPause);
    return { claim: leaving(claim, left), operations, settled, contribution: toContribution(executed, refused) };
  }

  /** Executes the operations that were not read. If that fails, all of them are undone, read, and added to `rest`. */
  private async runUnread(tx: SqlClient, chunk: BoundChunk): Promise<UnreadRun> {
    const { claim, timer, unread, read } = chunk;
    if (unread.length === 0) return { landed: [], summary: NOTHING_EXECUTED, rest: chunk };
    const seqs = new Set(unread.map(({ operation }) => operation.seq));
    const places = claim.operations.filter(({ seq }) => seqs.has(seq));
    let reading: Promise<ClaimedOperation[]> = Promise.resolve([]);
    const run = await this.runner.runUnread(tx, unread, timer, () => {
      reading = this.claims.readIfUndone(tx, places);
      // If the read fails, the run fails too, and its error says why.
      reading.catch(() => undefined);
    });
    const undone = await reading;
    if (undone.length === 0) return { landed: outcomesOf(unread, run), summary: run.summary, rest: chunk };
    timer.begin('read');
    const known = new Map([...read, ...undone].map((operation) => [operation.seq, operation]));
    const rest = await bindOperations(claim.operations, {
      catalog: this.catalog,
      read: (some) => Promise.resolve(some.map(({ seq }) => known.get(seq)!)),
      anew: false,
      mayLeaveUnread: false,
    });
    return { landed: [], summary: run.summary, rest: { claim, timer, ...rest } };
  }

  private run(tx: SqlClient, chunk: BoundChunk): Promise<DeferredRun> {
    const { claim, bound } = chunk;
    return runWithDeferrals(bound, {
      tx,
      run: (operations) => this.runOnce(tx, operations, chunk),
      allowReleases: claim.releasesBlocked ? () => this.claims.allowReleases(tx) : undefined,
      initialDelayMs: this.initialDelayMs,
      paused: claim.paused,
    });
  }

  private async runOnce(
    tx: SqlClient,
    operations: readonly BoundOperation[],
    { tablesAreCurrent, timer }: BoundChunk,
  ): Promise<Run> {
    const run = await this.runner.run(tx, operations, timer);
    if (!tablesAreCurrent && (await metStaleTable(tx, operations, run.outcomes))) throw new StaleCatalogError();
    return run;
  }
}

function outcomesOf(
  operations: readonly BoundOperation[],
  { outcomes }: Pick<DeferredRun, 'outcomes'>,
): ExecutedOperation[] {
  return operations.map(({ operation }, index) => ({ operation, outcome: outcomes[index]! }));
}

/** An operation of a paused source gets no verdict, even if its table is gone. */
function asPaused(refused: SettledOperation, paused: ReadonlyMap<number, string>): SettledOperation {
  const { operation } = refused;
  const pausedSource = paused.get(operation.seq);
  if (pausedSource === undefined) return refused;
  return {
    operation,
    outcome: { status: 'deferred', reason: 'paused', delayMs: Infinity, rowKeys: [], pausedSource },
  };
}

/** Each operation that did not succeed counts as skipped, even if it is only deferred. */
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
