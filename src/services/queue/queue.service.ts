import { setTimeout as wait } from 'node:timers/promises';
import { Inject, Injectable } from '@nestjs/common';
import { exponentialBackOff, type BackOff } from '../../batch/retry-policy.js';
import { insertAudit } from '../audit/audit.sql.js';
import { countBacklog, countParties, type BacklogRow, type PartyRow } from '../backpressure/backlog.sql.js';
import { chooseReleases, isCrowded, type DueOperation, type Room } from '../backpressure/fair-share.js';
import { SETTINGS, type Settings } from '../config/settings.js';
import { isLockNotAvailable, isRolledBack } from '../database/classify-failure.js';
import { DatabaseService } from '../database/database.service.js';
import { sendAlong } from '../database/send-along.js';
import type { SqlClient, SqlResult } from '../database/sql.js';
import { ServiceError } from '../errors/service-error.js';
import { actOn } from './act-on.js';
import { walkInOrder } from './claim.sql.js';
import { laneBusy } from './lane-busy.js';
import { LaneCancels } from './lane-cancels.js';
import { LanesService } from './lanes.service.js';
import { sameRequest, type StoredRequest } from './same-request.js';
import type { EnqueueResult, NewOperation } from './new-operation.js';
import type { ChunkExecution, SettledChunk, SettledOperation } from './operation-record.js';
import {
  cancelDelayed,
  deferOperations,
  insertOperations,
  nextDueOperation,
  releaseRetried,
  releaseScheduled,
  requeueOperation,
  selectDue,
  selectPlace,
  selectRequests,
  settleChunk,
  type InsertedRow,
  type NextDueRow,
  type RequeuedRow,
  type RetriedRow,
} from './queue.sql.js';
import { toMultirange } from './to-multirange.js';
import { countFailures, isDecided, isDeferred, isExceptional, toDeferredRow, toOutcomeRow } from './to-settlement.js';

interface Place {
  target: string;
  seq: string;
  priority: number;
  lane: number;
  status: string;
}

interface StoredOperations {
  created: ReadonlyMap<string, 'scheduled' | 'pending'>;
  stored: ReadonlyMap<string, StoredRequest>;
  /** Targets whose operations may be neither, because their tables are being moved to another lane. */
  moving: readonly string[];
}

const INSERT_RETRIES = 5;
const INSERT_BACK_OFF: BackOff = { initialMs: 5, multiplier: 2, maxMs: 200, jitter: 1 };
/** Most moves take some milliseconds. Meanwhile operations on other tables wait behind these, so not for long. */
const MOVE_WAITS_MS = [10, 40, 150, 300];
const CANCEL_LOOKS = 4;
const RELEASE_LIMIT = 10_000;
const UNLIMITED = Number.MAX_SAFE_INTEGER;
/** Releasing scheduled operations takes no more than a twentieth of a connection, however long the queue is. */
const RELEASE_PAUSE_FACTOR = 20;
const RELEASE_PAUSE_MS = 250;
const SLOW_RELEASE_MS = 50;

/**
 * The only writer of an operation's state: into the queue, out of it, back into it. It promises that an operation is in
 * one place at a time. Taking operations for a chunk is left to `ClaimService`, what they do to the executor.
 */
@Injectable()
export class QueueService {
  private readonly laneCancels: LaneCancels;
  /** Of scheduled operations, in milliseconds of the monotonic clock. */
  private nextReleaseAt = 0;

  constructor(
    private readonly database: DatabaseService,
    private readonly lanes: LanesService,
    @Inject(SETTINGS) private readonly settings: Settings,
  ) {
    this.laneCancels = new LaneCancels(database.requests);
  }

  /**
   * Stores operations in one transaction; durable when it resolves. An id that exists already is compared with what is
   * stored, so that the same request twice is one operation.
   */
  async enqueue(operations: readonly NewOperation[]): Promise<EnqueueResult[]> {
    const first = new Map<string, NewOperation>();
    for (const operation of operations) if (!first.has(operation.id)) first.set(operation.id, operation);

    const { created, stored, moving } = await this.store([...first.values()]);
    return operations.map((operation) => {
      const status = created.get(operation.id);
      const original = first.get(operation.id)!;
      if (status !== undefined) {
        if (original === operation) return { outcome: 'created', status };
        return sameRequest(operation, original) ? { outcome: 'existing', status } : { outcome: 'conflict' };
      }
      const existing = stored.get(operation.id);
      if (existing === undefined && moving.includes(operation.target)) return { outcome: 'busy' };
      if (existing === undefined) throw new Error(`Operation ${operation.id} was neither stored nor found`);
      return sameRequest(operation, existing)
        ? { outcome: 'existing', status: existing.status }
        : { outcome: 'conflict' };
    });
  }

  /**
   * Writes the verdicts on a claim's operations, final when `tx` commits; those without a verdict yet wait for their next
   * attempt. Answers nothing when there is no verdict at all.
   */
  async settle(
    tx: SqlClient,
    execution: ChunkExecution,
    claimed: readonly SettledOperation[],
  ): Promise<SettledChunk | undefined> {
    const deferred = claimed.filter(isDeferred);
    const settled = claimed.filter(isDecided);
    // Lanes keep everybody else off claimed operations; if that ever fails, nothing of this chunk may be committed.
    if (deferred.length > 0) {
      const { rows } = await tx.query(deferOperations(deferred.map(toDeferredRow)));
      assertGone(rows.length, deferred.length);
    }
    if (settled.length === 0) return undefined;
    const failedByCode = countFailures(settled);
    const failed = [...failedByCode.values()].reduce((sum, count) => sum + count, 0);
    const { rows } = await tx.query<SettledRow>(
      settleChunk(
        settled.map(({ operation }) => operation),
        settled.filter(isExceptional).map(toOutcomeRow),
        {
          ...execution,
          seqs: toMultirange(settled.map(({ operation }) => operation.seq)),
          operations: settled.length,
          completed: settled.length - failed,
          failed,
          deferred: deferred.length,
          announce: (this.settings.rabbitmq ?? this.settings.notificationTcpUrl) !== undefined,
        },
      ),
    );
    const { id, durationMs, gone, same } = rows[0]!;
    assertGone(gone, settled.length);
    assertSame(same, settled.length);
    return {
      ...execution,
      id,
      durationMs,
      completed: settled.length - failed,
      deferred: deferred.length,
      failedByCode,
    };
  }

  /** Makes operations pending whose time has come, scheduled ones as far as there is room for them. */
  async releaseDue(): Promise<void> {
    const { rows } = await this.database.query<RetriedRow>(releaseRetried(RELEASE_LIMIT));
    if (rows[0]!.scheduledAreDue && performance.now() >= this.nextReleaseAt) await this.releaseScheduled();
  }

  /** Milliseconds until the next operation can be released; undefined when none waits. */
  async nextDueInMs(): Promise<number | undefined> {
    const { rows } = await this.database.query<NextDueRow>(nextDueOperation());
    const { retriedInMs, scheduledInMs } = rows[0]!;
    const releaseInMs = this.nextReleaseAt - performance.now();
    const dueInMs = Math.min(retriedInMs ?? Infinity, Math.max(scheduledInMs ?? Infinity, releaseInMs));
    return dueInMs === Infinity ? undefined : dueInMs;
  }

  /**
   * @param actor who cancels it, see `callerName`
   * @throws ServiceError OPERATION_NOT_FOUND, NOT_CANCELLABLE, LANE_BUSY; NoPlaceError
   */
  async cancel(id: string, actor?: string): Promise<void> {
    for (let looks = 0; looks < CANCEL_LOOKS; looks += 1) {
      const place = await findPlace(this.database.requests, id);
      // Not there any more: it was released, put off, moved to another lane or settled since it was looked for.
      if (await this.cancelAt(id, place, actor)) return;
    }
    throw laneBusy(`Operation ${id} was somewhere else each time that it was to be cancelled`);
  }

  /**
   * @param actor who retries it, see `callerName`
   * @throws ServiceError OPERATION_NOT_FOUND, NOT_RETRYABLE, LANE_BUSY; NoPlaceError
   */
  async retry(id: string, actor?: string): Promise<void> {
    const place = await findPlace(this.database.requests, id);
    // Versions before the register of the lanes accepted operations too.
    await this.lanes.register([place]);
    await this.changeRow(id, async (tx) => {
      const { rows } = await tx.query<RequeuedRow>(requeueOperation(Number(place.seq)));
      const { moving, requeued } = rows[0]!;
      if (requeued) return void (await tx.query(insertAudit([actOn('retry', id, actor)])));
      if (moving) throw laneBusy(`The table of operation ${id} is being moved to another lane`);
      const { status } = await findPlace(tx, id);
      throw new ServiceError(
        'NOT_RETRYABLE',
        `Operation ${id} is ${status}; only a failed or cancelled operation can be retried`,
        { status },
      );
    });
  }

  private async releaseScheduled(): Promise<void> {
    const startedAt = performance.now();
    const { room, usedBy } = await this.roomForReleases();
    const left = await this.database.transaction(async (tx) => {
      sendAlong(tx, walkInOrder());
      const { rows: due } = await tx.query<DueOperation>(selectDue(RELEASE_LIMIT));
      const chosen = chooseReleases(due, room, usedBy);
      if (chosen.length > 0) await tx.query(releaseScheduled(chosen));
      return due.length - chosen.length;
    });
    const endedAt = performance.now();
    const tookMs = endedAt - startedAt;
    // Where none is held back for room and counting costs nothing, the next are released as soon as they are due.
    if (left > 0 || tookMs > SLOW_RELEASE_MS) {
      this.nextReleaseAt = endedAt + Math.max(RELEASE_PAUSE_MS, RELEASE_PAUSE_FACTOR * tookMs);
    }
  }

  /** Parties are counted only where one of them might have its share after the release. */
  private async roomForReleases(): Promise<{ room: Room; usedBy: ReadonlyMap<number, number> }> {
    const { maxBacklog: limit, backlogShare: share } = this.settings.intake;
    if (limit === 0) return { room: { limit: UNLIMITED, waiting: 0, share }, usedBy: new Map() };
    const { rows } = await this.database.query<BacklogRow>(countBacklog('pending', limit));
    const room = { limit, waiting: rows[0]!.operations, share };
    if (!isCrowded({ ...room, waiting: room.waiting + RELEASE_LIMIT })) return { room, usedBy: new Map() };
    const parties = await this.database.query<PartyRow>(countParties('pending'));
    return { room, usedBy: new Map(parties.rows.map(({ party, operations }) => [party, operations])) };
  }

  /** False when the operation is not there any more. */
  private async cancelAt(
    id: string,
    { status, seq, priority, lane }: Place,
    actor: string | undefined,
  ): Promise<boolean> {
    switch (status) {
      case 'pending':
        return this.laneCancels.cancel({ id, actor, seq: Number(seq), priority, lane });
      case 'scheduled':
        return this.changeRow(id, async (tx) => {
          const { rows } = await tx.query(cancelDelayed(Number(seq)));
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

  /** Others have the row of an operation for moments only, unless its table is being moved to another lane. */
  private async changeRow<T>(id: string, work: (tx: SqlClient) => Promise<T>): Promise<T> {
    try {
      return await this.database.requests.transaction(work);
    } catch (error) {
      if (!isLockNotAvailable(error)) throw error;
      throw laneBusy(`Operation ${id} is being moved to another lane, or another session has locked it`, error);
    }
  }

  /** What was new, and what was there already. No id comes twice. */
  private async store(operations: readonly NewOperation[], tries = 1): Promise<StoredOperations> {
    await this.lanes.register(operations);
    const { rows } = await this.insert(operations);
    const created = statusesOf(operations, rows[0]!);
    const { moving } = rows[0]!;
    if (created.size === operations.length) return { created, stored: new Map(), moving };
    const repeated = operations.filter(({ id }) => !created.has(id));
    const stored = await this.storedRequests(repeated.map(({ id }) => id));
    const missing = repeated.filter(({ id }) => !stored.has(id));
    const waitMs = MOVE_WAITS_MS[tries - 1];
    if (missing.length === 0 || waitMs === undefined) return { created, stored, moving };
    if (missing.every(({ target }) => moving.includes(target))) {
      await wait(waitMs);
    } else {
      if (tries > 1) return { created, stored, moving };
      // Retention has taken what was there a moment ago, or somebody has emptied the register of the lanes.
      this.lanes.forget();
    }
    const later = await this.store(missing, tries + 1);
    return {
      created: new Map([...created, ...later.created]),
      stored: new Map([...stored, ...later.stored]),
      moving: later.moving,
    };
  }

  /** Two processes that store the same ids in another order may deadlock; then nothing is stored, and it is tried again. */
  private async insert(operations: readonly NewOperation[]): Promise<SqlResult<InsertedRow>> {
    for (let retries = 0; ; retries += 1) {
      try {
        return await this.database.query(insertOperations(operations));
      } catch (error) {
        if (!isRolledBack(error) || retries >= INSERT_RETRIES) throw error;
        await wait(exponentialBackOff(INSERT_BACK_OFF, retries));
      }
    }
  }

  private async storedRequests(ids: readonly string[]): Promise<Map<string, StoredRequest>> {
    if (ids.length === 0) return new Map();
    const { rows } = await this.database.query<StoredRequest & { id: string }>(selectRequests(ids));
    return new Map(rows.map((row) => [row.id, row]));
  }
}

/** Of those that are new. */
function statusesOf(
  operations: readonly NewOperation[],
  { scheduled, ids }: InsertedRow,
): Map<string, 'scheduled' | 'pending'> {
  const statuses = new Map<string, 'scheduled' | 'pending'>();
  for (const id of ids ?? operations.map((operation) => operation.id)) statuses.set(id, 'pending');
  for (const id of scheduled) statuses.set(id, 'scheduled');
  return statuses;
}

async function findPlace(tx: SqlClient, id: string): Promise<Place> {
  const { rows } = await tx.query<Place>(selectPlace(id));
  if (rows[0] === undefined) throw new ServiceError('OPERATION_NOT_FOUND', `There is no operation ${id}`, { id });
  return rows[0];
}

/** What `settleChunk` answers. */
interface SettledRow {
  id: string;
  durationMs: number;
  gone: number;
  same: boolean;
}

/** Places are only good as long as nobody moves rows; if that ever happens, others would have gone instead. */
function assertSame(same: boolean, claimed: number): void {
  if (!same) throw new Error(`A chunk settled other operations than the ${claimed} that it had claimed`);
}

function assertGone(gone: number, claimed: number): void {
  if (gone === claimed) return;
  throw new Error(`A chunk claimed ${claimed} operations, but ${gone} were still pending when it settled`);
}
