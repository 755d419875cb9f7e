import type { ItemContext, ItemWriter, WriteOutcome } from '../batch/item.js';
import { sendAlong } from '../services/database/send-along.js';
import type { SqlClient } from '../services/database/sql.js';
import type { BoundOperation } from '../services/planner/bound-operation.js';
import { holdBack, type PutOff } from '../services/retry/hold-back.js';
import { nextAttemptInMs } from '../services/retry/next-attempt.js';
import { mayBeRetried, reasonToRetry } from '../services/retry/retry-reason.js';
import { readRowKeys, type RowKeys } from '../services/retry/row-keys.reader.js';
import { selectWaiting, type WaitingRecord } from '../services/retry/waiting.sql.js';
import { OperationDeferredError } from './operation-deferred.error.js';
import { OperationFailedError } from './operation-failed.error.js';
import { NOTHING_EXECUTED, type ExecutionSummary, type OperationWriter } from './operation.writer.js';
import { UndecidedChunkError } from './undecided-chunk.error.js';

type Operations = readonly BoundOperation[];
type Written = WriteOutcome<number>;

/** What is known about the operations that wait in the queue, from the claim on. */
export interface WaitingQueue {
  /** True when some wait in the lanes of the claim. None of them comes back before `allowReleases`. */
  holdsReleases(): boolean;
  allowReleases(tx: SqlClient): Promise<void>;
}

/** Each round settles at least one more operation, so a chunk with fewer operations needs no more rounds. */
const MAX_ROUNDS = 10;

const NOBODY: ReadonlyMap<BoundOperation, PutOff> = new Map();

/**
 * Defers operations: those that fail and may be tried again, and later ones on the same row. It promises the result of
 * executing the operations one by one, with the deferred ones left out. Another writer does the writing.
 *
 * At first the chunk is executed as if no operation that may be tried again failed. If one did, and later operations on
 * its row have taken effect, everything is undone and executed once more without those. This is repeated until exactly
 * those are left out that have to wait. In each round everything before the first mistake is right and stays so; the
 * next round corrects that mistake.
 */
export class DeferringWriter implements ItemWriter<BoundOperation, number, SqlClient> {
  readonly reportsOutcomes = true;
  /** How the latest chunk was executed. */
  execution = NOTHING_EXECUTED;

  constructor(
    private readonly writer: Pick<OperationWriter, 'write' | 'execution'>,
    private readonly queue: WaitingQueue,
    /** Before the first retry. */
    private readonly initialDelayMs: number,
  ) {}

  async write(operations: Operations, context: ItemContext<SqlClient>): Promise<Written[]> {
    this.execution = NOTHING_EXECUTED;
    const mayFailAgain = operations.some(({ operation }) => mayBeRetried(operation));
    if (!mayFailAgain && !this.queue.holdsReleases()) return this.writeNow(operations, context);
    return this.writeInRounds(operations, context, mayFailAgain);
  }

  private async writeInRounds(
    operations: Operations,
    context: ItemContext<SqlClient>,
    mayFailAgain: boolean,
  ): Promise<Written[]> {
    const { tx } = context;
    let keys: RowKeys = new Map();
    let queued: readonly WaitingRecord[] = [];
    if (this.queue.holdsReleases()) {
      keys = await readRowKeys(tx, operations);
      queued = await waitingOn(tx, keys);
      await this.queue.allowReleases(tx);
    }
    let held = holdBack(operations, keys, queued, NOBODY);
    if (mayFailAgain) sendAlong(tx, { text: 'savepoint round' });
    for (let round = 0; round < MAX_ROUNDS; round += 1) {
      if (round > 0) await tx.query({ text: 'rollback to savepoint round' });
      const outcomes = await this.writeWithout(held, operations, context);
      const putOff = this.findPutOff(outcomes);
      if (putOff.size > 0 && keys.size === 0) keys = await readRowKeys(tx, operations);
      const justified = holdBack(operations, keys, queued, putOff);
      if (isExact(held, justified, outcomes)) {
        if (mayFailAgain) sendAlong(tx, { text: 'release savepoint round' });
        return conclude(operations, outcomes, putOff, justified, keys);
      }
      held = justified;
    }
    throw new UndecidedChunkError(operations.length, MAX_ROUNDS);
  }

  private async writeNow(operations: Operations, context: ItemContext<SqlClient>): Promise<Written[]> {
    const outcomes = await this.writer.write(operations, context);
    this.execution = inAll(this.execution, this.writer.execution);
    return outcomes;
  }

  private async writeWithout(
    held: ReadonlyMap<BoundOperation, number>,
    operations: Operations,
    context: ItemContext<SqlClient>,
  ): Promise<Map<BoundOperation, Written>> {
    const rest = operations.filter((operation) => !held.has(operation));
    const outcomes = rest.length === 0 ? [] : await this.writeNow(rest, context);
    return new Map(rest.map((operation, index) => [operation, outcomes[index]!]));
  }

  private findPutOff(outcomes: ReadonlyMap<BoundOperation, Written>): Map<BoundOperation, PutOff> {
    const putOff = new Map<BoundOperation, PutOff>();
    for (const [bound, outcome] of outcomes) {
      const { operation } = bound;
      const code = failureOf(outcome)?.code;
      if (code === undefined || reasonToRetry(operation, code) === undefined) continue;
      putOff.set(bound, { code, delayMs: nextAttemptInMs(operation.attempts, this.initialDelayMs) });
    }
    return putOff;
  }
}

/**
 * True when every operation that had to be left out was left out, or failed and so left nothing behind, and no other
 * operation was left out.
 */
function isExact(
  held: ReadonlyMap<BoundOperation, number>,
  justified: ReadonlyMap<BoundOperation, number>,
  outcomes: ReadonlyMap<BoundOperation, Written>,
): boolean {
  const leftOut = [...justified.keys()].every((operation) => held.has(operation) || !outcomes.get(operation)!.written);
  return leftOut && [...held.keys()].every((operation) => justified.has(operation));
}

function conclude(
  operations: Operations,
  outcomes: ReadonlyMap<BoundOperation, Written>,
  putOff: ReadonlyMap<BoundOperation, PutOff>,
  held: ReadonlyMap<BoundOperation, number>,
  keys: RowKeys,
): Written[] {
  return operations.map((bound) => {
    const rowKeys = keys.get(bound) ?? [];
    const waitMs = held.get(bound);
    if (waitMs !== undefined) return deferred({ status: 'deferred', reason: 'behind', delayMs: waitMs, rowKeys });
    const outcome = outcomes.get(bound)!;
    const failed = putOff.get(bound);
    if (failed === undefined) return outcome;
    const error = failureOf(outcome);
    return deferred({ status: 'deferred', reason: 'retry', delayMs: failed.delayMs, rowKeys, error });
  });
}

async function waitingOn(tx: SqlClient, keys: RowKeys): Promise<WaitingRecord[]> {
  const all = new Set([...keys.values()].flat());
  return all.size === 0 ? [] : (await tx.query<WaitingRecord>(selectWaiting([...all]))).rows;
}

function failureOf(outcome: Written): OperationFailedError['operationError'] | undefined {
  if (outcome.written || !(outcome.error instanceof OperationFailedError)) return undefined;
  return outcome.error.operationError;
}

function deferred(outcome: OperationDeferredError['outcome']): Written {
  return { written: false, error: new OperationDeferredError(outcome) };
}

/** All rounds together. The plan is that of the last one. */
function inAll(before: ExecutionSummary, latest: ExecutionSummary): ExecutionSummary {
  if (before === NOTHING_EXECUTED) return latest;
  return { ...latest, statements: before.statements + latest.statements, fallback: true };
}
