import { insertAudit } from '../audit/audit.sql.js';
import { isLockNotAvailable } from '../database/classify-failure.js';
import type { RequestConnections } from '../database/request-connections.js';
import type { SqlClient } from '../../interfaces/sql.js';
import { ServiceError } from '../errors/service-error.js';
import { laneBusy } from './lane-busy.js';
import { actOn, LaneCancels } from './lane-cancels.js';
import { lockReleases, wakeBehind } from './releases.sql.js';
import {
  cancelDelayed,
  requeueOperations,
  selectPlace,
  type CancelledRow,
  type PlaceRow,
  type RequeuedRow,
} from './requested-changes.sql.js';

const CANCEL_TRIES = 4;

/**
 * Cancels and retries single operations when callers ask for it. It promises that a change and its audit entry are
 * stored together. `LaneCancels` cancels pending operations, because that needs the lane.
 */
export class RequestedChanges {
  private readonly laneCancels: LaneCancels;

  constructor(private readonly connections: RequestConnections) {
    this.laneCancels = new LaneCancels(connections);
  }

  async cancel(id: string, actor: string | undefined): Promise<void> {
    for (let tries = 0; tries < CANCEL_TRIES; tries += 1) {
      const place = await findPlace(this.connections, id);
      // False: after `findPlace` read its place, it was released, deferred, settled or moved to another lane.
      if (await this.cancelAt(id, place, actor)) return;
    }
    throw laneBusy(`Operation ${id} changed its place each time that the service tried to cancel it`);
  }

  async retry(id: string, actor: string | undefined): Promise<void> {
    const place = await findPlace(this.connections, id);
    await this.changeRow(id, async (tx) => {
      const { rows } = await tx.query<RequeuedRow>(requeueOperations([place.seq], { wait: true }));
      const { moving, requeued } = rows[0]!;
      if (requeued.length > 0) return void (await tx.query(insertAudit([actOn('retry', id, actor)])));
      if (moving) throw laneBusy(`The table of operation ${id} is being moved to another lane`);
      const { status, erased } = await findPlace(tx, id);
      if (erased) {
        throw new ServiceError('NOT_RETRYABLE', `The values of operation ${id} were erased, so it cannot be retried`, {
          status,
        });
      }
      throw new ServiceError(
        'NOT_RETRYABLE',
        `Operation ${id} is ${status}; only a failed or cancelled operation can be retried`,
        { status },
      );
    });
  }

  /** False when the operation is no longer in that place. */
  private async cancelAt(
    id: string,
    { status, seq, priority, lane }: PlaceRow,
    actor: string | undefined,
  ): Promise<boolean> {
    switch (status) {
      case 'pending':
        return this.laneCancels.cancel({ id, actor, seq: Number(seq), priority, lane });
      case 'scheduled':
        return this.changeRow(id, async (tx) => {
          const { rows } = await tx.query<CancelledRow>(cancelDelayed([seq], { wait: true }));
          if (rows[0]?.kept === true) await wake(tx, rows[0].rowKeys ?? []);
          if (rows.length > 0) await tx.query(insertAudit([actOn('cancel', id, actor)]));
          return rows.length > 0;
        });
      default:
        throw new ServiceError(
          'NOT_CANCELLABLE',
          `Operation ${id} is ${status}; only a waiting operation can be cancelled`,
          { status },
        );
    }
  }

  /**
   * Other sessions lock the row of an operation only for a moment, except while its table is being moved to another
   * lane.
   */
  private async changeRow<T>(id: string, work: (tx: SqlClient) => Promise<T>): Promise<T> {
    try {
      return await this.connections.transaction(work);
    } catch (error) {
      if (!isLockNotAvailable(error)) throw error;
      throw laneBusy(`Operation ${id} is being moved to another lane, or another session has locked it`, error);
    }
  }
}

/** The lock waits for chunks that have found the operation, and have deferred others behind it. */
async function wake(tx: SqlClient, rowKeys: readonly string[]): Promise<void> {
  await tx.query(lockReleases());
  await tx.query(wakeBehind(rowKeys));
}

async function findPlace(tx: SqlClient, id: string): Promise<PlaceRow> {
  const { rows } = await tx.query<PlaceRow>(selectPlace(id));
  if (rows[0] === undefined) throw new ServiceError('OPERATION_NOT_FOUND', `There is no operation ${id}`, { id });
  return rows[0];
}
