import { setTimeout as wait } from 'node:timers/promises';
import { Inject, Injectable } from '@nestjs/common';
import { backOffMs, type BackOff } from '../../interfaces/back-off.js';
import { SETTINGS, type Settings } from '../config/settings.js';
import { isRolledBack, isUniqueViolation } from '../database/classify-failure.js';
import { DatabaseService } from '../database/database.service.js';
import type { SqlClient } from '../../interfaces/sql.js';
import { LaneRegisterService } from './lane-register.service.js';
import type { Drain, EnqueueResult, NewOperation } from './new-operation.js';
import type { ChunkExecution, SettledChunk, SettledOperation } from './operation-record.js';
import { insertOperations, selectRequests, type DrainRow, type InsertedRow } from './enqueue.sql.js';
import {
  blockReleases,
  nextDueOperation,
  releasePaused,
  releaseRetried,
  selectKeptByPause,
  wakeAllKept,
  type NextDueRow,
  type RetriedRow,
} from './releases.sql.js';
import { deferOperations, settleChunk, type DeferredRow, type SettledRow } from './settle.sql.js';
import { RequestedChanges } from './requested-changes.js';
import { ShapesService } from './shapes.service.js';
import { objectShape } from './shape.js';
import { objectRowText, readRow } from './stored-row.js';
import type { StoredRequest } from './same-request.js';
import { RELEASE_LIMIT, ScheduledReleases } from './scheduled-releases.js';
import { firstById, toEnqueueResult, type StoredOperations } from './to-enqueue-result.js';
import {
  countFailures,
  encodeMembers,
  isDecided,
  isDeferred,
  isExceptional,
  toDeferredRow,
  toMultirange,
  toOutcomeRow,
} from './to-settlement.js';

/** Operations that an insert did not store count as moving, whatever the reason. They are tried again. */
type Inserted = Omit<InsertedRow, 'missing'>;

const INSERT_RETRIES = 5;
const INSERT_BACK_OFF: BackOff = { initialMs: 5, maxMs: 200, jitter: 1 };
/** After a repeated id, more are likely: a caller is sending again, or a broker is delivering again. */
const REPEATS_FOR_MS = 10_000;
const NOTHING_INSERTED: Inserted = { ids: [], scheduled: [], moving: [], drained: null };
/** Most moves take some milliseconds. The waits are short, because operations on other tables wait meanwhile. */
const MOVE_WAITS_MS = [10, 40, 150, 300];

/**
 * Only this service changes the state of an operation. It stores operations and settles those of a chunk. It makes them
 * pending again when they are due or a caller asks for it. It promises that an operation is in one place at a time.
 * `ClaimService` takes operations for a chunk, and the executor executes them.
 */
@Injectable()
export class QueueService {
  private readonly scheduled: ScheduledReleases;
  private readonly changes: RequestedChanges;
  /** When scheduled operations may be released again, by `performance.now()`. */
  private nextReleaseAt = 0;
  /** Until this time, by `performance.now()`, repeated ids are expected. */
  private repeatsUntil = 0;

  constructor(
    private readonly database: DatabaseService,
    private readonly lanes: LaneRegisterService,
    private readonly shapes: ShapesService,
    @Inject(SETTINGS) private readonly settings: Settings,
  ) {
    this.scheduled = new ScheduledReleases(database, settings.intake);
    this.changes = new RequestedChanges(database.requests);
  }

  /**
   * Stores operations in one transaction. They are durable when it resolves. If an id is already stored, the two
   * requests are compared, so that the same request sent twice is one operation.
   */
  async enqueue(operations: readonly NewOperation[]): Promise<EnqueueResult[]> {
    const first = firstById(operations);
    const stored = await this.store([...first.values()]);
    return operations.map((operation) => toEnqueueResult(operation, first, stored));
  }

  /**
   * Writes the outcomes of a claim's operations. They are final when `tx` commits. Deferred and blocked operations are
   * moved to `delayed`. Returns undefined when no operation has a verdict.
   *
   * @param keptByPause operations in `delayed`, kept there by a pause, behind which some of the operations wait
   */
  async settle(
    tx: SqlClient,
    execution: ChunkExecution,
    claimed: readonly SettledOperation[],
    keptByPause: readonly number[] = [],
  ): Promise<SettledChunk | undefined> {
    const deferred = claimed.filter(isDeferred);
    const settled = claimed.filter(isDecided);
    // Only the holder of the lane may move these rows. If another session has moved one, the chunk must not commit.
    if (deferred.length > 0) {
      const given = deferred.map(toDeferredRow);
      const { rows } = await tx.query(deferOperations(await this.withoutStranded(tx, given, keptByPause)));
      assertGone(rows.length, deferred.length);
    }
    if (settled.length === 0) return undefined;
    const seqs = settled.map(({ operation }) => operation.seq);
    const failed = settled.filter(({ outcome }) => outcome.status === 'failed').length;
    const counts = { completed: settled.length - failed, deferred: deferred.length };
    const { rows } = await tx.query<SettledRow>(
      settleChunk(
        settled.map(({ operation }) => operation),
        settled.filter(isExceptional).map(toOutcomeRow),
        {
          ...execution,
          ...counts,
          phases: execution.timer.phases,
          seqs: toMultirange(seqs),
          encodedMembers: encodeMembers(seqs, execution.members),
          operations: settled.length,
          failed,
          notify: (this.settings.rabbitmq ?? this.settings.notificationTcpUrl) !== undefined,
        },
      ),
    );
    const { id, durationMs, gone, same } = rows[0]!;
    assertGone(gone, settled.length);
    assertSame(same, settled.length);
    return { ...execution, ...counts, id, durationMs, failedByCode: countFailures(settled) };
  }

  /**
   * Operations that wait behind others which a pause keeps come back with these. If one of these has come back since
   * the chunk found it, nobody would bring them back. So they come back at once, and a chunk finds out again for what they
   * wait. No release and no cancel may come between this and the commit.
   */
  private async withoutStranded(
    tx: SqlClient,
    rows: readonly DeferredRow[],
    keptByPause: readonly number[],
  ): Promise<readonly DeferredRow[]> {
    const waitForever = rows.some(({ reason, delayMs }) => reason === 'blocked' && delayMs === Infinity);
    if (!waitForever || keptByPause.length === 0) return rows;
    const seqs = [...new Set(keptByPause)];
    await tx.query(blockReleases());
    const { rows: kept } = await tx.query(selectKeptByPause(seqs));
    if (kept.length === seqs.length) return rows;
    return rows.map((row) => (row.reason === 'blocked' && row.delayMs === Infinity ? { ...row, delayMs: 0 } : row));
  }

  /** Makes operations pending that are due. Scheduled operations need room in the backlog too. */
  async releaseDue(): Promise<void> {
    const { rows } = await this.database.query<RetriedRow>(releaseRetried(RELEASE_LIMIT));
    if (rows[0]!.pauseHasEnded) await this.releasePaused();
    if (!rows[0]!.scheduledAreDue || performance.now() < this.nextReleaseAt) return;
    const pauseMs = await this.scheduled.release();
    this.nextReleaseAt = performance.now() + pauseMs;
  }

  /**
   * Brings back operations whose source is no longer paused, in their order. With the last of them come those that wait
   * behind them.
   */
  private async releasePaused(): Promise<void> {
    await this.database.transaction(async (tx) => {
      const { rows } = await tx.query(releasePaused(RELEASE_LIMIT));
      if (rows.length > 0) await tx.query(wakeAllKept());
    });
  }

  /** Milliseconds until the next operation can be released; undefined when none waits. */
  async nextDueInMs(): Promise<number | undefined> {
    const { rows } = await this.database.query<NextDueRow>(nextDueOperation());
    const { retriedInMs, scheduledInMs, pauseHasEnded } = rows[0]!;
    if (pauseHasEnded) return 0;
    const pauseMs = this.nextReleaseAt - performance.now();
    const dueInMs = Math.min(retriedInMs ?? Infinity, Math.max(scheduledInMs ?? Infinity, pauseMs));
    return dueInMs === Infinity ? undefined : dueInMs;
  }

  /**
   * @param actor the caller that cancels it, see `callerName`
   * @throws ServiceError OPERATION_NOT_FOUND, NOT_CANCELLABLE, LANE_BUSY; NoPlaceError
   */
  async cancel(id: string, actor?: string): Promise<void> {
    await this.changes.cancel(id, actor);
  }

  /**
   * @param actor the caller that retries it, see `callerName`
   * @throws ServiceError OPERATION_NOT_FOUND, NOT_RETRYABLE, LANE_BUSY; NoPlaceError
   */
  async retry(id: string, actor?: string): Promise<void> {
    await this.changes.retry(id, actor);
  }

  /**
   * Stores new operations and finds those that are already stored. It tries again for operations that could not be
   * stored.
   */
  private async store(operations: readonly NewOperation[]): Promise<StoredOperations> {
    const created = new Map<string, 'scheduled' | 'pending'>();
    const existing = new Map<string, StoredRequest>();
    const drained = new Map<string, Drain>();
    let left = operations;
    for (let tries = 0; ; tries += 1) {
      const withheld = await this.lanes.register(left.map(({ shape }) => shape));
      const ready = withheld.size === 0 ? left : left.filter(({ shape }) => !withheld.has(shape.target));
      const inserted = ready.length === 0 ? NOTHING_INSERTED : await this.insert(ready);
      for (const id of inserted.ids ?? ready.map((operation) => operation.id)) created.set(id, 'pending');
      for (const id of inserted.scheduled) created.set(id, 'scheduled');
      const repeated = left.filter(({ id }) => !created.has(id));
      for (const row of await this.findRequests(repeated)) existing.set(row.id, row);
      const missing = repeated.filter(({ id }) => !existing.has(id));
      for (const operation of missing) {
        const drain = inserted.drained?.find((each) => concerns(each, operation));
        if (drain !== undefined) drained.set(operation.id, drain);
      }
      left = missing.filter(({ id }) => !drained.has(id));

      const moving = [...inserted.moving, ...withheld];
      const waitMs = MOVE_WAITS_MS[tries];
      if (left.length === 0 || waitMs === undefined) return { created, existing, moving, drained };
      // Tables without a lane are registered again, because somebody may have emptied the register.
      this.lanes.forget(moving);
      if (left.every(({ shape }) => moving.includes(shape.target))) await wait(waitMs);
      // An id was repeated, but not found: retention has deleted that operation since the insert.
      else if (tries > 0) return { created, existing, moving, drained };
    }
  }

  /**
   * Two processes that store the same ids in different orders may deadlock, or an id may already be stored. PostgreSQL
   * then stores nothing, so it is safe to try again.
   */
  private async insert(operations: readonly NewOperation[]): Promise<Inserted> {
    for (let retries = 0; ; retries += 1) {
      const repeats = performance.now() < this.repeatsUntil;
      try {
        const { shaped, shapes } = await this.withShapes(operations);
        const { rows } = await this.database.query<InsertedRow>(insertOperations(shaped, shapes, { repeats }));
        const { missing, moving, ...inserted } = rows[0]!;
        this.shapes.forget(missing);
        const ofMissing = shaped.filter((_, index) => missing.includes(shapes[index]!));
        return { ...inserted, moving: [...moving, ...ofMissing.map(({ shape }) => shape.target)] };
      } catch (error) {
        if (!repeats && isUniqueViolation(error) && retries < INSERT_RETRIES) {
          this.repeatsUntil = performance.now() + REPEATS_FOR_MS;
          continue;
        }
        if (!isRolledBack(error) || retries >= INSERT_RETRIES) throw error;
        await wait(backOffMs(INSERT_BACK_OFF, retries));
      }
    }
  }

  /** Each operation, and the id of its shape. If there are too many shapes, the row keeps the names of its columns. */
  private async withShapes(
    operations: readonly NewOperation[],
  ): Promise<{ shaped: readonly NewOperation[]; shapes: number[] }> {
    const ids = await this.shapes.register(operations.map(({ shape }) => shape));
    const shapes = operations.map(({ shape }) => ids.get(shape.name)!);
    if (operations.every(({ shape }) => ids.has(shape.name))) return { shaped: operations, shapes };
    return this.withShapes(
      operations.map((operation) => {
        const { shape, row } = operation;
        if (ids.has(shape.name)) return operation;
        return { ...operation, shape: objectShape(shape), row: objectRowText(readRow(shape, row)) };
      }),
    );
  }

  private async findRequests(operations: readonly NewOperation[]): Promise<(StoredRequest & { id: string })[]> {
    if (operations.length === 0) return [];
    const { rows } = await this.database.query<StoredRequest & { id: string }>(
      selectRequests(operations.map(({ id }) => id)),
    );
    return rows;
  }
}

const concerns = ({ target, source }: DrainRow, operation: NewOperation): boolean =>
  target === null ? source === operation.source : target === operation.shape.target;

function assertGone(gone: number, claimed: number): void {
  if (gone === claimed) return;
  throw new Error(`A chunk claimed ${claimed} operations, but ${gone} were still pending when it settled`);
}

/** Pending rows are deleted by their `ctid`. If somebody has moved rows, the delete may have hit other operations. */
function assertSame(same: boolean, claimed: number): void {
  if (!same) throw new Error(`A chunk settled other operations than the ${claimed} that it had claimed`);
}
