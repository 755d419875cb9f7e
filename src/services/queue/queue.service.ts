import { setTimeout as wait } from 'node:timers/promises';
import { Inject, Injectable } from '@nestjs/common';
import { exponentialBackOff, type BackOff } from '../../batch/retry-policy.js';
import { SETTINGS, type Settings } from '../config/settings.js';
import { LANES } from '../catalog/table.js';
import { DatabaseService } from '../database/database.service.js';
import type { SqlClient, SqlResult } from '../database/sql.js';
import { sqlStateOf } from '../database/sql-state.js';
import { ServiceError } from '../errors/service-error.js';
import { ClaimCursor, type ClaimHints, type ObservedClaim } from './claim-cursor.js';
import type { Scope } from './claim-scope.js';
import { sameRequest, type StoredRequest } from './same-request.js';
import type { EnqueueResult, NewOperation } from './new-operation.js';
import type { ChunkExecution, ClaimedOperation, SettledChunk, SettledOperation } from './operation-record.js';
import {
  cancelOperation,
  claimOperations,
  currentSnapshot,
  insertOperations,
  lockLane,
  nextDueOperation,
  releaseDueOperations,
  requeueOperation,
  selectPlace,
  selectRequests,
  settleChunk,
  takeFreeLanes,
  type OutcomeRow,
} from './queue.sql.js';
import { toMultirange } from './to-multirange.js';

/** Operations claimed in an open transaction. To be handed to `committed` once that transaction is. */
export interface Claim {
  operations: ClaimedOperation[];
  /** True when more may wait: the limit cut the claim. */
  full: boolean;
  observed: ObservedClaim;
  claimedAt: number;
}

interface Place {
  seq: string;
  priority: number;
  lane: number;
  status: string;
}

interface SnapshotRow {
  xmin: string;
  xmax: string;
  reentries: string;
}

const ALL_LANES = Array.from({ length: LANES }, (_, lane) => lane);
const NO_HINTS: ClaimHints = { after: new Map(), reentries: '0' };
const MAX_ATTEMPTS = 32_767;
const LOCK_NOT_AVAILABLE = '55P03';
/** Class 40: deadlock, serialization failure. */
const ROLLED_BACK = /^40/;
const INSERT_RETRIES = 5;
const INSERT_BACK_OFF: BackOff = { initialMs: 5, multiplier: 2, maxMs: 200, jitter: 1 };
const RELEASE_LIMIT = 10_000;

/**
 * The only writer of an operation's state: into the queue, out of it, back into it. It promises that an operation is in
 * one place at a time, and that claims come in the order of acceptance. What an operation does is left to the executor.
 */
@Injectable()
export class QueueService {
  private readonly cursor = new ClaimCursor();

  constructor(
    private readonly database: DatabaseService,
    @Inject(SETTINGS) private readonly settings: Settings,
  ) {}

  /**
   * Stores operations in one transaction; durable when it resolves. An id that exists already is compared with what is
   * stored, so that the same request twice is one operation.
   */
  async enqueue(operations: readonly NewOperation[]): Promise<EnqueueResult[]> {
    const first = new Map<string, NewOperation>();
    for (const operation of operations) if (!first.has(operation.id)) first.set(operation.id, operation);

    const { rows } = await this.insert([...first.values()]);
    const created = new Map(rows.map((row) => [row.id, row.scheduled ? ('scheduled' as const) : ('pending' as const)]));
    const repeated = [...first.keys()].filter((id) => !created.has(id));
    const stored = await this.storedRequests(repeated);

    return operations.map((operation) => {
      const status = created.get(operation.id);
      const original = first.get(operation.id)!;
      if (status !== undefined) {
        if (original === operation) return { outcome: 'created', status };
        return sameRequest(operation, original) ? { outcome: 'existing', status } : { outcome: 'conflict' };
      }
      const existing = stored.get(operation.id);
      if (existing === undefined) throw new Error(`Operation ${operation.id} was neither stored nor found`);
      return sameRequest(operation, existing)
        ? { outcome: 'existing', status: existing.status }
        : { outcome: 'conflict' };
    });
  }

  /** Takes the free lanes of the scope and the next operations in them. The lanes stay taken until `tx` ends. */
  async claim(tx: SqlClient, { limit, asideLanes }: Scope): Promise<Claim> {
    const claimedAt = Date.now();
    const wanted = ALL_LANES.filter((lane) => !asideLanes.has(lane));
    const lanes = (await tx.query<{ lane: number }>(takeFreeLanes(wanted))).rows.map(({ lane }) => lane);
    const allLanes = lanes.length === LANES;
    const hints: ClaimHints = allLanes ? this.cursor.hintsAt(claimedAt) : NO_HINTS;
    const { maxKb } = this.settings.poller;
    const [before, claimed, after] = await Promise.all([
      tx.query<SnapshotRow>(currentSnapshot()),
      tx.query<Omit<ClaimedOperation, 'seq'> & { seq: string; cut: boolean }>(
        claimOperations(lanes, hints, limit, maxKb),
      ),
      tx.query<SnapshotRow>(currentSnapshot()),
    ]);
    const operations = claimed.rows.map(({ cut: _, ...row }) => ({ ...row, seq: Number(row.seq) }));
    const full = claimed.rows.some(({ cut }) => cut);
    return {
      operations,
      full,
      claimedAt,
      observed: {
        snapshotXmin: BigInt(before.rows[0]!.xmin),
        snapshotXmax: BigInt(after.rows[0]!.xmax),
        reentries: { before: before.rows[0]!.reentries, after: after.rows[0]!.reentries },
        allLanes,
        // Rows come in order, so the last one of a priority wins.
        last: new Map(operations.map(({ priority, seq }) => [priority, seq])),
        full,
      },
    };
  }

  /** Writes the verdicts on a claim's operations. They are final when `tx` commits. */
  async settle(tx: SqlClient, execution: ChunkExecution, settled: readonly SettledOperation[]): Promise<SettledChunk> {
    const failedByCode = countFailures(settled);
    const failed = [...failedByCode.values()].reduce((sum, count) => sum + count, 0);
    const { rows } = await tx.query<{ id: string; durationMs: number; gone: number }>(
      settleChunk(
        settled.map(({ operation }) => operation),
        settled.filter(isExceptional).map(toOutcomeRow),
        {
          ...execution,
          seqs: toMultirange(settled.map(({ operation }) => operation.seq)),
          operations: settled.length,
          completed: settled.length - failed,
          failed,
          announce: (this.settings.rabbitmq ?? this.settings.notificationTcpUrl) !== undefined,
        },
      ),
    );
    const { id, durationMs, gone } = rows[0]!;
    // Lanes keep everybody else off claimed operations; if that ever fails, nothing of this chunk may be committed.
    if (gone !== settled.length) {
      throw new Error(`A chunk claimed ${settled.length} operations, but ${gone} were still pending when it settled`);
    }
    return { ...execution, id, durationMs, completed: settled.length - failed, failedByCode };
  }

  /** To be called after the commit of the transaction that made the claim. */
  committed(claim: Claim): void {
    this.cursor.committed(claim.observed, claim.claimedAt, Date.now() - claim.claimedAt);
  }

  /** Makes scheduled operations pending whose time has come. */
  async releaseDue(): Promise<void> {
    await this.database.query(releaseDueOperations(RELEASE_LIMIT));
  }

  /** Milliseconds until the next scheduled operation is due; undefined when none is scheduled. */
  async nextDueInMs(): Promise<number | undefined> {
    const { rows } = await this.database.query<{ dueInMs: number }>(nextDueOperation());
    return rows[0]?.dueInMs;
  }

  /** @throws ServiceError OPERATION_NOT_FOUND, NOT_CANCELLABLE, SERVICE_UNAVAILABLE (its chunk runs too long) */
  async cancel(id: string): Promise<void> {
    try {
      await this.database.transaction(async (tx) => {
        const place = await findPlace(tx, id);
        // A chunk that has claimed the operation decides first.
        await tx.query(lockLane(place.lane));
        // Between its two looks, into `pending` and into `delayed`, it may have moved from one to the other.
        const cancel = async () => (await tx.query(cancelOperation(Number(place.seq), place.priority))).rows.length > 0;
        if (!(await cancel()) && !(await cancel())) throw await notCancellable(tx, id);
      });
    } catch (error) {
      if (sqlStateOf(error) !== LOCK_NOT_AVAILABLE) throw error;
      throw new ServiceError('SERVICE_UNAVAILABLE', `Operation ${id} is being executed; ask again`, undefined, {
        cause: error,
      });
    }
  }

  /** @throws ServiceError OPERATION_NOT_FOUND, NOT_RETRYABLE */
  async retry(id: string): Promise<void> {
    await this.database.transaction(async (tx) => {
      const place = await findPlace(tx, id);
      const { rows } = await tx.query(requeueOperation(Number(place.seq)));
      if (rows.length > 0) return;
      throw new ServiceError(
        'NOT_RETRYABLE',
        `Operation ${id} is ${place.status}; only a failed or cancelled operation can be retried`,
        { status: place.status },
      );
    });
  }

  /** Two processes that store the same ids in another order may deadlock; then nothing is stored, and it is tried again. */
  private async insert(operations: readonly NewOperation[]): Promise<SqlResult<{ id: string; scheduled: boolean }>> {
    for (let retries = 0; ; retries += 1) {
      try {
        return await this.database.query(insertOperations(operations));
      } catch (error) {
        if (!ROLLED_BACK.test(sqlStateOf(error) ?? '') || retries >= INSERT_RETRIES) throw error;
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

async function findPlace(tx: SqlClient, id: string): Promise<Place> {
  const { rows } = await tx.query<Place>(selectPlace(id));
  if (rows[0] === undefined) throw new ServiceError('OPERATION_NOT_FOUND', `There is no operation ${id}`, { id });
  return rows[0];
}

async function notCancellable(tx: SqlClient, id: string): Promise<ServiceError> {
  const { status } = await findPlace(tx, id);
  return new ServiceError(
    'NOT_CANCELLABLE',
    `Operation ${id} is ${status}; only a waiting operation can be cancelled`,
    {
      status,
    },
  );
}

/** What an ordinary success leaves out: one row changed at the first attempt. */
function isExceptional({ operation, outcome }: SettledOperation): boolean {
  return outcome.status === 'failed' || outcome.rowsAffected !== 1 || operation.attempts > 0;
}

function toOutcomeRow({ operation, outcome }: SettledOperation): OutcomeRow {
  const error = outcome.status === 'failed' ? outcome.error : undefined;
  return {
    seq: operation.seq,
    status: outcome.status,
    rowsAffected: outcome.status === 'completed' ? outcome.rowsAffected : 0,
    attempts: Math.min(operation.attempts + 1, MAX_ATTEMPTS),
    code: error?.code ?? null,
    message: error?.message ?? null,
    constraint: error?.constraint ?? null,
    column: error?.column ?? null,
    sqlState: error?.sqlState ?? null,
  };
}

function countFailures(settled: readonly SettledOperation[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const { outcome } of settled) {
    if (outcome.status === 'failed') counts.set(outcome.error.code, (counts.get(outcome.error.code) ?? 0) + 1);
  }
  return counts;
}
