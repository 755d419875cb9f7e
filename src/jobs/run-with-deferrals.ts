import { backOffMs } from '../interfaces/back-off.js';
import { inSavepoint } from '../services/database/in-savepoint.js';
import type { SqlClient } from '../services/database/sql.js';
import { TransientError } from '../services/errors/transient-error.js';
import type { BoundOperation } from '../services/planner/bound-operation.js';
import type { DeferredOutcome, LeftOutcome, Outcome } from '../services/queue/operation-record.js';
import { holdBack, type PutOff } from '../services/retry/hold-back.js';
import { mayBeRetried, reasonToRetry } from '../services/retry/retry-reason.js';
import { readRowKeys, type RowKeys } from '../services/retry/row-keys.reader.js';
import { selectWaiting, type WaitingRecord } from '../services/retry/waiting.sql.js';
import { NOTHING_EXECUTED, type ExecutionSummary, type Run } from './operation-runner.js';

type Operations = readonly BoundOperation[];

/** Between the attempts of an operation; a setting says how long after the first one. */
const RETRY_BACK_OFF = { maxMs: 5 * 60_000, jitter: 0.2 };

export interface DeferralOptions {
  tx: SqlClient;
  /** Executes operations within `tx`. */
  run: (operations: Operations) => Promise<Run>;
  /**
   * Present when operations wait in the lanes of the claim. None of them comes back before this is called; it is called when it
   * is known which of them wait on the rows of the chunk.
   */
  allowReleases: (() => Promise<void>) | undefined;
  /** Before the first retry. */
  initialDelayMs: number;
}

export interface DeferredRun {
  /** One for each operation, in the given order. */
  outcomes: readonly (Outcome | DeferredOutcome | LeftOutcome)[];
  /** Of all rounds together. The plan is that of the last one. */
  summary: ExecutionSummary;
}

/** Each round settles at least one more operation, so a chunk with fewer operations needs no more rounds. */
const MAX_ROUNDS = 10;

const NOBODY: ReadonlyMap<BoundOperation, PutOff> = new Map();

/**
 * Runs operations and defers some: those that fail and may be tried again, and later ones on the same row. It promises the
 * result of executing the operations one by one, with the deferred ones left out.
 *
 * At first the chunk is executed as if no operation that may be tried again failed. If one did, and later operations on
 * its row have taken effect, everything is undone and executed once more without those. This is repeated until exactly
 * those are left out that have to wait. In each round everything before the first mistake is right and stays so; the
 * next round corrects that mistake.
 */
export function runWithDeferrals(operations: Operations, options: DeferralOptions): Promise<DeferredRun> {
  const mayFailAgain = operations.some(({ operation }) => mayBeRetried(operation));
  if (!mayFailAgain && options.allowReleases === undefined) return options.run(operations);
  return runInRounds(operations, options, mayFailAgain);
}

async function runInRounds(
  operations: Operations,
  { tx, run, allowReleases, initialDelayMs }: DeferralOptions,
  mayFailAgain: boolean,
): Promise<DeferredRun> {
  let keys: RowKeys = new Map();
  let queued: readonly WaitingRecord[] = [];
  if (allowReleases !== undefined) {
    keys = await readRowKeys(tx, operations);
    queued = await waitingOn(tx, keys);
    await allowReleases();
  }
  let held = holdBack(operations, keys, queued, NOBODY);
  let summary = NOTHING_EXECUTED;
  const execute = async () => {
    const rest = operations.filter((operation) => !held.has(operation));
    const ran = rest.length === 0 ? undefined : await run(rest);
    if (ran !== undefined) summary = ofRounds(summary, ran.summary);
    const outcomes = new Map(rest.map((operation, index) => [operation, ran!.outcomes[index]!]));
    const putOff = findPutOff(outcomes, initialDelayMs);
    if (putOff.size > 0 && keys.size === 0) keys = await readRowKeys(tx, operations);
    const justified = holdBack(operations, keys, queued, putOff);
    return { outcomes, putOff, justified, exact: isExact(held, justified, outcomes) };
  };
  for (let round = 0; round < MAX_ROUNDS; round += 1) {
    // If nothing may fail and be tried again, the first round is exact.
    const ran = mayFailAgain ? await inSavepoint(tx, 'round', execute, ({ exact }) => exact) : await execute();
    const { outcomes, putOff, justified } = ran;
    if (ran.exact) return { outcomes: conclude(operations, outcomes, putOff, justified, keys), summary };
    held = justified;
  }
  // The chunk is tried again with fewer operations.
  throw new TransientError(
    `After ${MAX_ROUNDS} rounds it is still not known which of ${operations.length} operations wait behind others`,
  );
}

/** The operations that failed and are tried again. */
function findPutOff(
  outcomes: ReadonlyMap<BoundOperation, Outcome | LeftOutcome>,
  initialDelayMs: number,
): Map<BoundOperation, PutOff> {
  const putOff = new Map<BoundOperation, PutOff>();
  for (const [bound, outcome] of outcomes) {
    const { operation } = bound;
    if (outcome.status !== 'failed' || reasonToRetry(operation, outcome.error.code) === undefined) continue;
    const delayMs = backOffMs({ ...RETRY_BACK_OFF, initialMs: initialDelayMs }, operation.attempts);
    putOff.set(bound, { code: outcome.error.code, delayMs });
  }
  return putOff;
}

/**
 * True when every operation that had to be left out was left out, or has no effect, and no other
 * operation was left out.
 */
function isExact(
  held: ReadonlyMap<BoundOperation, number>,
  justified: ReadonlyMap<BoundOperation, number>,
  outcomes: ReadonlyMap<BoundOperation, Outcome | LeftOutcome>,
): boolean {
  const hasEffect = (operation: BoundOperation): boolean => outcomes.get(operation)!.status === 'completed';
  const leftOut = [...justified.keys()].every((operation) => held.has(operation) || !hasEffect(operation));
  return leftOut && [...held.keys()].every((operation) => justified.has(operation));
}

function conclude(
  operations: Operations,
  outcomes: ReadonlyMap<BoundOperation, Outcome | LeftOutcome>,
  putOff: ReadonlyMap<BoundOperation, PutOff>,
  held: ReadonlyMap<BoundOperation, number>,
  keys: RowKeys,
): (Outcome | DeferredOutcome | LeftOutcome)[] {
  return operations.map((bound) => {
    const rowKeys = keys.get(bound) ?? [];
    const waitMs = held.get(bound);
    if (waitMs !== undefined) return { status: 'deferred', reason: 'behind', delayMs: waitMs, rowKeys };
    const outcome = outcomes.get(bound)!;
    const failed = putOff.get(bound);
    if (failed === undefined || outcome.status !== 'failed') return outcome;
    return { status: 'deferred', reason: 'retry', delayMs: failed.delayMs, rowKeys, error: outcome.error };
  });
}

async function waitingOn(tx: SqlClient, keys: RowKeys): Promise<WaitingRecord[]> {
  const all = new Set([...keys.values()].flat());
  return all.size === 0 ? [] : (await tx.query<WaitingRecord>(selectWaiting([...all]))).rows;
}

/** All rounds together. The plan is that of the last one. */
function ofRounds(before: ExecutionSummary, latest: ExecutionSummary): ExecutionSummary {
  if (before === NOTHING_EXECUTED) return latest;
  return { ...latest, statements: before.statements + latest.statements, fallback: true };
}
