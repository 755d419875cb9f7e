import { Inject, Injectable } from '@nestjs/common';
import { SETTINGS, type Settings } from '../config/settings.js';
import { sendAlong } from '../database/send-along.js';
import type { SqlClient } from '../database/sql.js';
import { ClaimCursor, slotOf, type ObservedClaim } from './claim-cursor.js';
import type { Scope } from './claim-scope.js';
import { inSlices } from '../steps/in-slices.js';
import { mapInSteps } from '../steps/steps.js';
import {
  claimOperations,
  currentSnapshot,
  findWaiting,
  oldestWriter,
  walkAsUsual,
  walkInOrder,
  type ClaimedRow,
} from './claim.sql.js';
import { LanesService } from './lanes.service.js';
import type { ClaimedOperation } from './operation-record.js';
import { holdReleases } from './queue.sql.js';
import type { StoredShape } from './shape.js';
import { ShapesService } from './shapes.service.js';
import { readRow } from './stored-row.js';

/** Operations that are claimed in an open transaction. Pass it to `committed` after that transaction has committed. */
export interface Claim {
  operations: ClaimedOperation[];
  /** True when more may wait: the limit cut the claim, or other workers had lanes. */
  full: boolean;
  /** True when operations wait, but only in lanes that other workers hold. */
  crowdedOut: boolean;
  observed: ObservedClaim;
  claimedAt: number;
  /**
   * True when operations in these lanes wait for another attempt, or behind such an operation. Then none of them comes
   * back before `allowReleases`, or the end of the transaction.
   */
  holdsReleases: boolean;
}

interface SnapshotRow {
  xmax: string;
  reentries: string;
}

/**
 * Takes operations out of the queue for a chunk. It promises that they come in the order of acceptance, that nobody
 * else holds their lanes, and that it does not walk dead rows again and again, however many a long transaction
 * elsewhere keeps alive.
 */
@Injectable()
export class ClaimService {
  private readonly cursor = new ClaimCursor();

  constructor(
    private readonly lanes: LanesService,
    private readonly shapes: ShapesService,
    @Inject(SETTINGS) private readonly settings: Settings,
  ) {}

  /** Takes free lanes and the next operations in them. The lanes stay taken until `tx` ends. */
  async claim(tx: SqlClient, scope: Scope): Promise<Claim> {
    const claimedAt = Date.now();
    const hints = this.cursor.hintsAt(claimedAt);
    sendAlong(tx, walkInOrder());
    const taken = await this.lanes.take(tx, scope, hints);
    if (taken.lanes.length === 0) return nothing(claimedAt, taken.busy > 0);
    const read = () =>
      Promise.all([
        tx.query<ClaimedRow>(claimOperations(taken.lanes, hints, scope.limit, this.settings.poller.maxKb)),
        tx.query<SnapshotRow>(currentSnapshot()),
      ]);
    const [writer, waiting, first] = await Promise.all([
      this.cursor.isHeldUp(taken.lanes, BigInt(taken.xmin), claimedAt)
        ? tx.query<{ xid: string | null }>(oldestWriter())
        : undefined,
      tx.query<{ waiting: boolean }>(findWaiting(taken.lanes)),
      read(),
    ]);
    const holdsReleases = waiting.rows[0]!.waiting;
    const [claimed, after] = holdsReleases ? await this.withoutReleases(tx, read) : first;
    sendAlong(tx, walkAsUsual());
    const shapes = await this.shapes.find(
      tx,
      claimed.rows.map(({ shape }) => shape),
    );
    const operations = await inSlices(
      mapInSteps(claimed.rows, (row) => toOperation(row, shapes)),
      { holdsTransaction: true },
    );
    const full = claimed.rows.some(({ cut }) => cut);
    const snapshotXmax = BigInt(after.rows[0]!.xmax);
    return {
      operations,
      full: full || taken.busy > taken.lanes.length,
      crowdedOut: false,
      claimedAt,
      holdsReleases,
      observed: {
        oldestWriter:
          writer === undefined ? BigInt(taken.xmin) : toWholeNumber(writer.rows[0]?.xid ?? null, snapshotXmax),
        snapshotXmax,
        reentries: { before: taken.reentries, after: after.rows[0]!.reentries },
        lanes: taken.lanes,
        // Rows come in order, so the last one of a slot wins.
        last: new Map(operations.map(({ lane, priority, seq }) => [slotOf(lane, priority), seq])),
        full,
      },
    };
  }

  /** For a claim with `holdsReleases`. Call it when it is known what waits on the rows of the claim. */
  async allowReleases(tx: SqlClient): Promise<void> {
    await tx.query({ text: 'rollback to savepoint held; release savepoint held' });
    // This was set after the savepoint, so the rollback has undone it.
    sendAlong(tx, walkAsUsual());
  }

  /** Call this after the commit of the transaction that made the claim. */
  committed(claim: Claim): void {
    this.cursor.committed(claim.observed, claim.claimedAt, Date.now() - claim.claimedAt);
  }

  /**
   * No operation may move between the reading of `delayed` and the reading of `pending`. It would be seen in neither,
   * and the operations after it would overtake it. Rolling back to the savepoint releases the lock. Nothing else has
   * happened by then.
   */
  private async withoutReleases<T>(tx: SqlClient, read: () => Promise<T>): Promise<T> {
    const [, , result] = await Promise.all([tx.query({ text: 'savepoint held' }), tx.query(holdReleases()), read()]);
    return result;
  }
}

/** The claim when these of its operations stay in the queue: the next claim begins with them. */
export function leaving(claim: Claim, left: readonly ClaimedOperation[]): Claim {
  if (left.length === 0) return claim;
  const last = new Map(claim.observed.last);
  for (const { lane, priority, seq } of left) {
    const slot = slotOf(lane, priority);
    last.set(slot, Math.min(last.get(slot)!, seq - 1));
  }
  return { ...claim, full: true, observed: { ...claim.observed, last, full: true } };
}

function toOperation({ shape, row, ...rest }: ClaimedRow, shapes: ReadonlyMap<number, StoredShape>): ClaimedOperation {
  const storedAs = shapes.get(shape);
  if (storedAs === undefined)
    throw new Error(`Operation ${rest.id} has the shape ${shape}, which is not in batch.shapes`);
  const { type, target, onConflict, conflictKey, mustExist } = storedAs;
  return { ...rest, type, target, onConflict, conflictKey, mustExist, storedAs, ...readRow(storedAs, row) };
}

function nothing(claimedAt: number, crowdedOut: boolean): Claim {
  return {
    operations: [],
    full: false,
    crowdedOut,
    claimedAt,
    holdsReleases: false,
    observed: {
      oldestWriter: 0n,
      snapshotXmax: 0n,
      reentries: { before: '', after: '' },
      lanes: [],
      last: new Map(),
      full: false,
    },
  };
}

const EPOCH = 1n << 32n;

/** The transaction with this lower half that is not younger than `limit`. Without a lower half: `limit`. */
function toWholeNumber(lowerHalf: string | null, limit: bigint): bigint {
  if (lowerHalf === null) return limit;
  const whole = limit - (limit % EPOCH) + BigInt(lowerHalf);
  return whole > limit ? whole - EPOCH : whole;
}
