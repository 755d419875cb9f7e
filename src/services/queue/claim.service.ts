import { Inject, Injectable } from '@nestjs/common';
import type { RetryReason } from '../../interfaces/operation.js';
import { SETTINGS, type Settings } from '../config/settings.js';
import { splitJsonTexts } from '../../batch/sql/encode-texts.js';
import { sendAlong } from '../../batch/sql/send-along.js';
import type { SqlClient } from '../../interfaces/sql.js';
import { selectPausedOperations, type PausedOperationRow } from '../pauses/paused.sql.js';
import { walkInOrder } from '../database/walk-in-order.js';
import { ClaimCursor, slotOf, type ObservedClaim } from './claim-cursor.js';
import type { ClaimScope } from './claim-scope.js';
import { inSlices } from '../steps/in-slices.js';
import { mapInSteps } from '../steps/steps.js';
import {
  claimOperations,
  currentSnapshot,
  findWaiting,
  oldestWriter,
  selectContents,
  type ClaimedRow,
  type ContentsRow,
} from './claim.sql.js';
import { LanesService } from './lanes.service.js';
import { withContents, type ClaimedOperation, type ClaimedPlace } from './operation-record.js';
import { blockReleases } from './releases.sql.js';
import { ShapesService } from './shapes.service.js';
import { readRow } from './stored-row.js';

/** Operations that are claimed in an open transaction. Pass it to `committed` after that transaction has committed. */
export interface Claim {
  operations: ClaimedPlace[];
  /** How many of the operations the chunk left in the queue. */
  left: number;
  /** True when more may wait: the limit cut the claim, or other workers held lanes. */
  full: boolean;
  /** True when operations wait, but only in lanes that other workers hold. */
  allLanesBusy: boolean;
  /** Undefined when no lane was taken. */
  observed: ObservedClaim | undefined;
  claimedAt: number;
  /**
   * True when deferred, blocked or paused operations are in these lanes. Then none of them comes back before `allowReleases` is
   * called, or before the transaction ends.
   */
  releasesBlocked: boolean;
  /** The source of each operation whose source is paused, by sequence number. They must not be executed. */
  paused: ReadonlyMap<number, string>;
}

const NONE_PAUSED: ReadonlyMap<number, string> = new Map();

interface SnapshotRow {
  xmax: string;
  requeueEpoch: string;
}

/**
 * Takes operations out of the queue for a chunk. It promises that they come in the order of acceptance, and that nobody
 * else holds their lanes. It also promises not to read the same dead rows again and again, even if a long transaction
 * elsewhere keeps many of them alive.
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
  async claim(tx: SqlClient, scope: ClaimScope): Promise<Claim> {
    const claimedAt = Date.now();
    const watermarks = this.cursor.watermarksAt(claimedAt);
    sendAlong(tx, walkInOrder());
    const taken = await this.lanes.take(tx, scope, watermarks);
    const nothing = {
      ...{ operations: [], left: 0, full: false, allLanesBusy: false, claimedAt },
      ...{ releasesBlocked: false, paused: NONE_PAUSED },
    };
    if (taken.lanes.length === 0) return { ...nothing, allLanesBusy: taken.busy > 0, observed: undefined };
    const read = () =>
      Promise.all([
        tx.query<ClaimedRow>(claimOperations(taken.lanes, watermarks, scope.limit, this.settings.poller.maxKb)),
        tx.query<SnapshotRow>(currentSnapshot()),
      ]);
    const [writer, waiting, first] = await Promise.all([
      this.cursor.isHeldUp(taken.lanes, BigInt(taken.xmin), claimedAt)
        ? tx.query<{ xid: string | null }>(oldestWriter())
        : undefined,
      tx.query<{ waiting: boolean }>(findWaiting(taken.lanes)),
      read(),
    ]);
    const releasesBlocked = waiting.rows[0]!.waiting;
    const [claimed, after] = releasesBlocked ? await this.readWithReleasesBlocked(tx, read) : first;
    const { cut, pausedLanes, sourcesArePaused, ...columns } = claimed.rows[0]!;
    const operations = await this.toPlaces(tx, columns);
    const paused = sourcesArePaused ? await findPaused(tx, operations) : NONE_PAUSED;
    const full = cut === true;
    const snapshotXmax = BigInt(after.rows[0]!.xmax);
    return {
      ...nothing,
      operations,
      full: full || taken.busy > taken.lanes.length,
      releasesBlocked,
      paused,
      observed: {
        oldestWriter:
          writer === undefined ? BigInt(taken.xmin) : toWholeNumber(writer.rows[0]?.xid ?? null, snapshotXmax),
        snapshotXmax,
        requeueEpoch: { before: taken.requeueEpoch, after: after.rows[0]!.requeueEpoch },
        // From a paused lane nothing was taken, so nothing is known of it.
        lanes: taken.lanes.filter((lane) => !pausedLanes.includes(lane)),
        // Rows come in order, so the last one of a slot wins.
        last: new Map(operations.map(({ lane, priority, seq }) => [slotOf(lane, priority), seq])),
        full,
      },
    };
  }

  /** Reads the contents of claimed operations. Returns them in the given order. */
  async read(tx: SqlClient, places: readonly ClaimedPlace[]): Promise<ClaimedOperation[]> {
    return places.length === 0 ? [] : this.toOperations(places, await this.selectContents(tx, places, true));
  }

  /**
   * Like `read`, but only if an earlier call of the executor has undone all operations. Otherwise it returns none. Call
   * it without waiting for the executor, so that both are sent together.
   */
  async readIfUndone(tx: SqlClient, places: readonly ClaimedPlace[]): Promise<ClaimedOperation[]> {
    const contents = await this.selectContents(tx, places, false);
    return contents.ids === null ? [] : this.toOperations(places, contents);
  }

  private async selectContents(tx: SqlClient, places: readonly ClaimedPlace[], always: boolean): Promise<ContentsRow> {
    const seqs = places.map(({ seq }) => seq);
    return (await tx.query<ContentsRow>(selectContents(seqs, always))).rows[0]!;
  }

  private async toOperations(
    places: readonly ClaimedPlace[],
    { ids, rows, retryLimits, retryOn }: ContentsRow,
  ): Promise<ClaimedOperation[]> {
    const allIds = elementsOf(ids);
    const allRows = rows === null ? [] : splitJsonTexts(rows);
    if (allRows.length !== places.length) {
      throw new Error(`Of ${places.length} claimed operations, ${allRows.length} are in batch.operations`);
    }
    return inSlices(
      mapInSteps(places, (place, index) => {
        const { key, values } = readRow(place.storedAs, allRows[index]!);
        const reasons = retryOn?.[index]?.split(' ') as RetryReason[] | undefined;
        return withContents(place, {
          id: allIds[index]!,
          key,
          values,
          retryLimit: retryLimits?.[index] ?? null,
          retryOn: reasons ?? null,
        });
      }),
      { holdsTransaction: true },
    );
  }

  private async toPlaces(
    tx: SqlClient,
    claimed: Omit<ClaimedRow, 'cut' | 'pausedLanes' | 'sourcesArePaused'>,
  ): Promise<ClaimedPlace[]> {
    const shapeIds = elementsOf(claimed.shapes).map(Number);
    const shapes = await this.shapes.find(tx, shapeIds);
    const [seqs, priorities, lanes, attempts] = [claimed.seqs, claimed.priorities, claimed.lanes, claimed.attempts].map(
      (array) => elementsOf(array).map(Number),
    ) as [number[], number[], number[], number[]];
    return placesOf(claimed.places).map((place, index) => {
      const storedAs = shapes.get(shapeIds[index]!);
      const seq = seqs[index]!;
      if (storedAs === undefined) {
        throw new Error(`Operation ${seq} has the shape ${shapeIds[index]}, which is not in batch.shapes`);
      }
      return { seq, priority: priorities[index]!, lane: lanes[index]!, attempts: attempts[index]!, place, storedAs };
    });
  }

  /** For a claim with `releasesBlocked`. Call it after reading which operations wait on the rows of the claim. */
  async allowReleases(tx: SqlClient): Promise<void> {
    // This also undoes `walkInOrder`, because that was set after the savepoint.
    await tx.query({ text: 'rollback to savepoint releases_blocked; release savepoint releases_blocked' });
  }

  /** Call this after the commit of the transaction that made the claim. */
  committed(claim: Claim): void {
    const { observed, claimedAt } = claim;
    if (observed !== undefined) this.cursor.committed(observed, claimedAt, Date.now() - claimedAt);
  }

  /**
   * No operation may move from `delayed` to `pending` between the two reads. Both reads would miss it, and the
   * operations after it would overtake it. A rollback to the savepoint releases the lock. Nothing else is undone,
   * because nothing else has happened by then.
   */
  private async readWithReleasesBlocked<T>(tx: SqlClient, read: () => Promise<T>): Promise<T> {
    const [, , , result] = await Promise.all([
      tx.query({ text: 'savepoint releases_blocked' }),
      tx.query(blockReleases()),
      tx.query(walkInOrder()),
      read(),
    ]);
    return result;
  }
}

async function findPaused(tx: SqlClient, operations: readonly ClaimedPlace[]): Promise<ReadonlyMap<number, string>> {
  if (operations.length === 0) return NONE_PAUSED;
  const { rows } = await tx.query<PausedOperationRow>(selectPausedOperations(operations.map(({ seq }) => seq)));
  return new Map(rows.map(({ seq, source }) => [seq, source]));
}

/** The claim without the operations in `left`. They stay in the queue, and the next claim begins with them. */
export function leaving(claim: Claim, left: readonly Pick<ClaimedPlace, 'lane' | 'priority' | 'seq'>[]): Claim {
  const { observed } = claim;
  if (left.length === 0 || observed === undefined) return claim;
  const last = new Map(observed.last);
  for (const { lane, priority, seq } of left) {
    const slot = slotOf(lane, priority);
    last.set(slot, Math.min(last.get(slot)!, seq - 1));
  }
  return { ...claim, left: left.length, full: true, observed: { ...observed, last, full: true } };
}

/** The elements of an array of numbers or ids in PostgreSQL's text form. */
const elementsOf = (array: string | null): string[] => (array === null ? [] : array.slice(1, -1).split(','));

/** The elements of an array of places: `{"(0,1)","(0,2)"}`. */
const placesOf = (array: string | null): string[] => (array === null ? [] : array.slice(2, -2).split('","'));

const EPOCH = 1n << 32n;

/** The latest transaction number up to `limit` that has this lower half. Without a lower half, `limit`. */
function toWholeNumber(lowerHalf: string | null, limit: bigint): bigint {
  if (lowerHalf === null) return limit;
  const whole = limit - (limit % EPOCH) + BigInt(lowerHalf);
  return whole > limit ? whole - EPOCH : whole;
}
