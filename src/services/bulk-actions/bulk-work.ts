import { setTimeout as wait } from 'node:timers/promises';
import type { BulkActionKind, IBulkAction } from '../../interfaces/bulk-action.js';
import type { SqlClient } from '../../interfaces/sql.js';
import { insertAudit } from '../audit/audit.sql.js';
import { classifyFailure, isLockNotAvailable } from '../database/classify-failure.js';
import { NoPlaceError } from '../database/places.js';
import type { RequestConnections } from '../database/request-connections.js';
import { cutText } from '../errors/cut-text.js';
import { messageOf } from '../errors/message-of.js';
import { lockLane } from '../queue/requested-changes.sql.js';
import type { QueuedRow } from '../queue/settle.sql.js';
import {
  endAction,
  leaseWaiting,
  lockRunning,
  recordFailure,
  releaseLease,
  type ActionRow,
} from './bulk-actions.sql.js';
import { byLane, cancelInLane, LEASE_MS, storeChanges, takeStep, type StepResult } from './bulk-step.js';
import { entryOf, findAction } from './stored-action.js';

/** The pause where other sessions hold what a step needs. */
const BUSY_MS = 100;
const RETRY_MS = 1000;
/** After so many failures in a row that are not transient, an action has failed. */
const MOST_FAILURES = 5;

/** What a step has changed, for those who must be told. */
export type OnChanged = (action: BulkActionKind, operations: number) => Promise<void> | void;

/**
 * Does the work of bulk actions, in steps. It promises that each step is done once, whatever process dies: the next
 * process goes on behind the last step that was committed. It leaves to its owner when to work, and whom to wake.
 */
export class BulkWork {
  /** @param identity distinguishes this process from the others that may work on an action */
  constructor(
    private readonly requests: RequestConnections,
    private readonly identity: string,
    private readonly onChanged: OnChanged,
  ) {}

  /**
   * Works on an action until it ends, the time is over, or the signal comes. Then any process may go on.
   *
   * @returns the action as it is then
   */
  async workOn(id: string, forMs: number, signal?: AbortSignal): Promise<IBulkAction> {
    const until = performance.now() + forMs;
    while (performance.now() < until && signal?.aborted !== true) {
      const pauseMs = await this.tryStep(id, until);
      if (pauseMs === 'ended') return findAction(this.requests, id);
      if (pauseMs > 0) await wait(Math.min(pauseMs, Math.max(0, until - performance.now())));
    }
    await this.requests.query(releaseLease(id, this.identity, 0));
    return findAction(this.requests, id);
  }

  /** Takes over an action without a process. Undefined: there is none. */
  async lease(): Promise<string | undefined> {
    const { rows } = await this.requests.query<ActionRow>(leaseWaiting(this.identity, LEASE_MS));
    return rows[0]?.id;
  }

  private async tryStep(id: string, until: number): Promise<number | 'ended'> {
    try {
      return await this.step(id, until);
    } catch (error) {
      const isTransient =
        isLockNotAvailable(error) || error instanceof NoPlaceError || classifyFailure(error) === 'transient';
      const most = isTransient ? Infinity : MOST_FAILURES;
      const { rows } = await this.requests.transaction(async (tx) => {
        const failed = await tx.query<ActionRow>(recordFailure(id, cutText(messageOf(error)), most, RETRY_MS));
        const [row] = failed.rows;
        if (row?.status === 'failed')
          await tx.query(insertAudit([entryOf(row, row.action, row.createdBy ?? undefined)]));
        return failed;
      });
      return rows[0]?.status === 'running' ? RETRY_MS : 'ended';
    }
  }

  /**
   * @param until on the clock of `performance.now()`: after it, nothing waits for a busy lane
   * @returns how long to wait before the next step
   */
  private async step(id: string, until: number): Promise<number | 'ended'> {
    const taken = await this.requests.transaction((tx) => stepIn(tx, id)).catch(undoneByMove);
    if (taken === 'moving') return BUSY_MS;
    if (taken === 'ended') return 'ended';
    const { action, result, ended } = taken;
    if (result.changed > 0) await this.onChanged(action, result.changed);
    if (ended) return 'ended';
    const cancelled = await this.cancelInBusyLanes(id, result, until);
    if (!result.atEnd) return 0;
    // Probably nothing is left. Then this step ends the action, though the time may be over.
    return cancelled > 0 ? this.step(id, until) : BUSY_MS;
  }

  private async cancelInBusyLanes(id: string, { busy }: StepResult, until: number): Promise<number> {
    let cancelled = 0;
    for (const [lane, rows] of byLane(busy)) {
      const waitMs = until - performance.now();
      if (waitMs <= 0) break;
      const changed = await this.cancelInLine(id, lane, rows, waitMs);
      if (changed > 0) await this.onChanged('cancel', changed);
      cancelled += changed;
    }
    return cancelled;
  }

  /**
   * Queues for the lane, as a single cancel does: PostgreSQL gives it the lane before the next chunk. Where that takes too
   * long, the operations stay for the next pass.
   */
  private async cancelInLine(id: string, lane: number, rows: readonly QueuedRow[], waitMs: number): Promise<number> {
    try {
      return await this.requests.lockingTransaction(async (tx) => {
        await tx.query(lockLane(lane));
        const { rows: running } = await tx.query<ActionRow>(lockRunning(id));
        if (running[0] === undefined) return 0;
        const cancelled = await cancelInLane(tx, lane, rows);
        await storeChanges(tx, running[0], cancelled);
        return cancelled.length;
      }, waitMs);
    } catch (error) {
      if (!isLockNotAvailable(error) && !(error instanceof NoPlaceError)) throw error;
      return 0;
    }
  }
}

/** Undoes a step: a table of its operations is being moved to another lane. */
class MovingError extends Error {}

function undoneByMove(error: unknown): 'moving' {
  if (error instanceof MovingError) return 'moving';
  throw error;
}

type Taken = { action: BulkActionKind; result: StepResult; ended: boolean };

async function stepIn(tx: SqlClient, id: string): Promise<Taken | 'ended'> {
  const { rows } = await tx.query<ActionRow>(lockRunning(id));
  const [action] = rows;
  if (action === undefined) return 'ended';
  const result = await takeStep(tx, action);
  if (result.moving) throw new MovingError();
  const ended = result.atEnd && !result.again;
  if (ended) await end(tx, id);
  return { action: action.action, result, ended };
}

async function end(tx: SqlClient, id: string): Promise<void> {
  const { rows } = await tx.query<ActionRow>(endAction(id, 'completed'));
  await tx.query(insertAudit([entryOf(rows[0]!, rows[0]!.action, rows[0]!.createdBy ?? undefined)]));
}
