import { backOffMs } from '../interfaces/back-off.js';
import { inSavepoint } from '../batch/sql/in-savepoint.js';
import type { SqlClient } from '../interfaces/sql.js';
import { TransientError } from '../services/errors/transient-error.js';
import type { BoundOperation } from '../services/planner/bound-operation.js';
import type { DeferredOutcome, LeftOutcome, Outcome } from '../services/queue/operation-record.js';
import { findBlocked, type Deferral } from '../services/retry/row-blocking.js';
import { mayBeRetried, reasonToRetry } from '../services/retry/retry-reason.js';
import { readRowKeys, type RowKeys } from '../services/retry/row-keys.reader.js';
import { selectWaiting, type WaitingRecord } from '../services/retry/waiting.sql.js';
import { NOTHING_EXECUTED, type ExecutionSummary, type Run } from './operation-runner.js';

type Operations = readonly BoundOperation[];

/** The pauses between the attempts of an operation. A setting gives the first one. */
const RETRY_BACK_OFF = { maxMs: 5 * 60_000, jitter: 0.2 };

export interface DeferralOptions {
  tx: SqlClient;
  /** Executes operations within `tx`. */
  run: (operations: Operations) => Promise<Run>;
  /**
   * Present when deferred or blocked operations are in the lanes of the claim. None of them comes back before this is
   * called. It is called after reading which of them wait on the rows of the chunk.
   */
  allowReleases: (() => Promise<void>) | undefined;
  /** The pause before the first retry. */
  initialDelayMs: number;
  /** See `Claim.paused`. */
  paused: ReadonlyMap<number, string>;
}

export interface DeferredRun {
  /** One for each operation, in the given order. */
  outcomes: readonly (Outcome | DeferredOutcome | LeftOutcome)[];
  /** Sums over all rounds. The plan is that of the last round. */
  summary: ExecutionSummary;
  /** The sequence numbers of the operations, kept by a pause, behind which others wait. Absent: there are none. */
  keptByPause?: readonly number[];
}

/** Each round settles at least one more operation, so a small chunk needs no more rounds than it has operations. */
const MAX_ROUNDS = 10;

const NONE_DEFERRED: ReadonlyMap<BoundOperation, Deferral> = new Map();

/**
 * Runs operations, except those whose source is paused. It defers these, those that fail and may be retried, and later
 * ones on the same row. It promises the same result as executing the other operations one by one.
 *
 * The first round assumes that no operation will be deferred. If one fails and is deferred, later operations on its row
 * must wait. If such operations have taken effect, the round is undone and executed again without them. This is
 * repeated until exactly the operations that must wait are left out. Each round is right up to its first mistake, and
 * the next round corrects that mistake.
 */
export function runWithDeferrals(operations: Operations, options: DeferralOptions): Promise<DeferredRun> {
  const mayFailAgain = operations.some(({ operation }) => mayBeRetried(operation));
  if (!mayFailAgain && options.allowReleases === undefined && options.paused.size === 0) return options.run(operations);
  return runInRounds(operations, options, mayFailAgain);
}

async function runInRounds(
  operations: Operations,
  { tx, run, allowReleases, initialDelayMs, paused }: DeferralOptions,
  mayFailAgain: boolean,
): Promise<DeferredRun> {
  let keys: RowKeys = new Map();
  let queued: readonly WaitingRecord[] = [];
  if (allowReleases !== undefined || paused.size > 0) keys = await readRowKeys(tx, operations);
  if (allowReleases !== undefined) {
    queued = await waitingOn(tx, keys);
    await allowReleases();
  }
  let blocked = findBlocked(operations, keys, queued, NONE_DEFERRED, paused);
  let summary = NOTHING_EXECUTED;
  const execute = async () => {
    const rest = operations.filter((bound) => !blocked.has(bound) && !paused.has(bound.operation.seq));
    const ran = rest.length === 0 ? undefined : await run(rest);
    if (ran !== undefined) summary = ofRounds(summary, ran.summary);
    const outcomes = new Map(rest.map((operation, index) => [operation, ran!.outcomes[index]!]));
    const deferred = findDeferred(outcomes, initialDelayMs);
    if (deferred.size > 0 && keys.size === 0) keys = await readRowKeys(tx, operations);
    const mustWait = findBlocked(operations, keys, queued, deferred, paused);
    return { outcomes, deferred, mustWait, exact: isExact(blocked, mustWait, outcomes) };
  };
  for (let round = 0; round < MAX_ROUNDS; round += 1) {
    // If no operation may be retried, the first round is exact.
    const ran = mayFailAgain ? await inSavepoint(tx, 'round', execute, ({ exact }) => exact) : await execute();
    const { outcomes, deferred, mustWait } = ran;
    if (ran.exact) {
      const keptByPause = queued.filter(({ dueInMs }) => dueInMs === Infinity).map(({ seq }) => seq);
      return { outcomes: conclude(operations, outcomes, deferred, mustWait, keys, paused), summary, keptByPause };
    }
    blocked = mustWait;
  }
  // The error makes the chunk run again with fewer operations.
  throw new TransientError(
    `After ${MAX_ROUNDS} rounds it is still not known which of ${operations.length} operations wait behind others`,
  );
}

function findDeferred(
  outcomes: ReadonlyMap<BoundOperation, Outcome | LeftOutcome>,
  initialDelayMs: number,
): Map<BoundOperation, Deferral> {
  const deferred = new Map<BoundOperation, Deferral>();
  for (const [bound, outcome] of outcomes) {
    const { operation } = bound;
    if (outcome.status !== 'failed' || reasonToRetry(operation, outcome.error.code) === undefined) continue;
    const delayMs = backOffMs({ ...RETRY_BACK_OFF, initialMs: initialDelayMs }, operation.attempts);
    deferred.set(bound, { code: outcome.error.code, delayMs });
  }
  return deferred;
}

/** True when each operation that must wait was left out or had no effect, and no other operation was left out. */
function isExact(
  blocked: ReadonlyMap<BoundOperation, number>,
  mustWait: ReadonlyMap<BoundOperation, number>,
  outcomes: ReadonlyMap<BoundOperation, Outcome | LeftOutcome>,
): boolean {
  const hasEffect = (operation: BoundOperation): boolean => outcomes.get(operation)!.status === 'completed';
  const leftOut = [...mustWait.keys()].every((operation) => blocked.has(operation) || !hasEffect(operation));
  return leftOut && [...blocked.keys()].every((operation) => mustWait.has(operation));
}

function conclude(
  operations: Operations,
  outcomes: ReadonlyMap<BoundOperation, Outcome | LeftOutcome>,
  deferred: ReadonlyMap<BoundOperation, Deferral>,
  blocked: ReadonlyMap<BoundOperation, number>,
  keys: RowKeys,
  paused: ReadonlyMap<number, string>,
): (Outcome | DeferredOutcome | LeftOutcome)[] {
  return operations.map((bound) => {
    const rowKeys = keys.get(bound) ?? [];
    const pausedSource = paused.get(bound.operation.seq);
    if (pausedSource !== undefined) {
      return { status: 'deferred', reason: 'paused', delayMs: Infinity, rowKeys, pausedSource };
    }
    const waitMs = blocked.get(bound);
    if (waitMs !== undefined) return { status: 'deferred', reason: 'blocked', delayMs: waitMs, rowKeys };
    const outcome = outcomes.get(bound)!;
    const failed = deferred.get(bound);
    if (failed === undefined || outcome.status !== 'failed') return outcome;
    return { status: 'deferred', reason: 'retry', delayMs: failed.delayMs, rowKeys, error: outcome.error };
  });
}

async function waitingOn(tx: SqlClient, keys: RowKeys): Promise<WaitingRecord[]> {
  const all = new Set([...keys.values()].flat());
  return all.size === 0 ? [] : (await tx.query<WaitingRecord>(selectWaiting([...all]))).rows;
}

function ofRounds(before: ExecutionSummary, latest: ExecutionSummary): ExecutionSummary {
  if (before === NOTHING_EXECUTED) return latest;
  return { ...latest, statements: before.statements + latest.statements, fallback: true };
}
