import { setTimeout as delay } from 'node:timers/promises';
import { insertAudit, type NewAuditEntry } from '../audit/audit.sql.js';
import { NoPlaceError } from '../database/places.js';
import type { RequestConnections } from '../database/request-connections.js';
import type { SqlClient } from '../../interfaces/sql.js';
import { isLockNotAvailable } from '../database/classify-failure.js';
import { laneBusy } from './lane-busy.js';
import { cancelPending, lockLane, tryLockLane } from './requested-changes.sql.js';
import type { QueuedRow } from './settle.sql.js';

/** An operation that is to be cancelled. */
export interface Cancel extends QueuedRow {
  id: string;
  /** The caller that cancels it, see `callerName`. */
  actor: string | undefined;
}

/** Operations of one lane by sequence number. */
type Rows = Map<number, Cancel>;

/** Operations of one lane that are cancelled together. */
interface Group {
  rows: Rows;
  /** The sequence numbers of the operations that were cancelled. */
  cancelled: Promise<ReadonlySet<number>>;
}

/**
 * Workers do not queue for a lane. They try it every 10 to 500 ms. Without this pause, callers could hold the lane
 * forever.
 */
const REST_MS = 50;

/**
 * Cancels pending operations. Only the holder of the lane may change them, so a cancel needs the lane as a chunk does.
 * It takes a free lane at once, and queues for a busy one. PostgreSQL gives it the lane before the next chunk. So it
 * gets the lane even if workers always use it.
 *
 * All callers who cancel in one lane at the same time share one transaction. A caller who cannot get the lane within
 * about three seconds gets an error. Chunks get the lane between two cancels, even if callers cancel all the time.
 */
export class LaneCancels {
  /** By lane: the group that callers may still join. */
  private readonly open = new Map<number, Group>();
  /** By lane: resolves when the next group may begin. */
  private readonly turns = new Map<number, Promise<unknown>>();

  constructor(private readonly connections: RequestConnections) {}

  /**
   * @returns false when the operation is no longer pending in this lane, or when another caller has just cancelled it
   * @throws ServiceError LANE_BUSY; NoPlaceError; any error of the database
   */
  async cancel(row: Cancel): Promise<boolean> {
    const group = this.open.get(row.lane) ?? this.begin(row.lane);
    const isFirst = !group.rows.has(row.seq);
    if (isFirst) group.rows.set(row.seq, row);
    const cancelled = await group.cancelled;
    return isFirst && cancelled.has(row.seq);
  }

  private begin(lane: number): Group {
    const rows: Rows = new Map();
    const turn = this.turns.get(lane) ?? Promise.resolve();
    const done = turn.then(() => this.cancelAll(lane, rows));
    const rest = ({ queued }: { queued: boolean }): Promise<void> | undefined => (queued ? delay(REST_MS) : undefined);
    this.turns.set(
      lane,
      done.then(rest, () => undefined),
    );
    const group = { rows, cancelled: done.then(({ cancelled }) => cancelled) };
    this.open.set(lane, group);
    return group;
  }

  private async cancelAll(lane: number, rows: Rows): Promise<{ cancelled: ReadonlySet<number>; queued: boolean }> {
    try {
      const cancelled = await this.cancelIfFree(lane, rows);
      if (cancelled !== undefined) return { cancelled, queued: false };
      return { cancelled: await this.cancelInLine(lane, rows), queued: true };
    } finally {
      this.close(lane, rows);
    }
  }

  /** Undefined when somebody else holds the lane. */
  private cancelIfFree(lane: number, rows: Rows): Promise<ReadonlySet<number> | undefined> {
    return this.connections.transaction(async (tx) => {
      const { rows: locks } = await tx.query<{ held: boolean }>(tryLockLane(lane));
      return locks[0]?.held === true ? this.cancelRows(tx, lane, rows) : undefined;
    });
  }

  private async cancelInLine(lane: number, rows: Rows): Promise<ReadonlySet<number>> {
    try {
      return await this.connections.lockingTransaction(async (tx) => {
        await tx.query(lockLane(lane));
        return this.cancelRows(tx, lane, rows);
      });
    } catch (error) {
      if (!isLockNotAvailable(error) && !(error instanceof NoPlaceError)) throw error;
      throw laneBusy(`A long chunk or another session holds lane ${lane}`, error);
    }
  }

  /** Closes the group first: later callers are too late for this transaction. */
  private async cancelRows(tx: SqlClient, lane: number, rows: Rows): Promise<ReadonlySet<number>> {
    this.close(lane, rows);
    const { rows: cancelled } = await tx.query<{ seq: string }>(cancelPending(lane, [...rows.values()]));
    const seqs = new Set(cancelled.map(({ seq }) => Number(seq)));
    const done = [...rows.values()].filter(({ seq }) => seqs.has(seq));
    if (done.length > 0) await tx.query(insertAudit(done.map(({ id, actor }) => actOn('cancel', id, actor))));
    return seqs;
  }

  private close(lane: number, rows: Rows): void {
    if (this.open.get(lane)?.rows === rows) this.open.delete(lane);
  }
}

/** @param actor see `callerName` */
export function actOn(act: 'cancel' | 'retry', id: string, actor: string | undefined): NewAuditEntry {
  return { act, actor, subject: { kind: 'operation', id } };
}
