import { Injectable } from '@nestjs/common';
import type { IListOperationsQuery } from '../../interfaces/operation-filter.js';
import type { IPage } from '../../interfaces/operation.js';
import type { SqlClient } from '../../interfaces/sql.js';
import { sendAlong } from '../../batch/sql/send-along.js';
import type { IWaiting } from '../../interfaces/waiting.js';
import { callerName, reaches, type Access } from '../access/access.js';
import { DatabaseService } from '../database/database.service.js';
import { walkInOrder } from '../database/walk-in-order.js';
import { ServiceError } from '../errors/service-error.js';
import { MetricsService } from '../observability/metrics.service.js';
import { QueueService } from '../queue/queue.service.js';
import { selectWaiting, type WaitingRow } from '../waiting/waiting.sql.js';
import { WakeUpService } from '../wake-up/wake-up.service.js';
import { checkCursor } from './cursor.js';
import type { PreparedMatch } from './matching.sql.js';
import { toMatch } from './operation-match.js';
import { OutcomeWatchService } from './outcome-watch.service.js';
import { selectOperation, selectPage } from './outcomes.sql.js';
import { firstStretch, prepareMatch, walkMatches } from './walk-matches.js';
import { toOperation, type GivenOperation, type OperationRow } from './to-operation.js';

const DEFAULT_LIMIT = 100;
/**
 * A page begins no further stretch after this time, even if it is not full. Each stretch is twice as large as the one
 * before, so the last one takes about as long as all others.
 */
const PAGE_MS = 60;
/** The process serializes a page of this size in a few milliseconds. */
const PAGE_BYTES = 1024 * 1024;

/**
 * Tells callers what happened to their operations, and cancels or retries them. A caller that is limited to some
 * targets does not see operations on others.
 */
@Injectable()
export class OperationsService {
  constructor(
    private readonly database: DatabaseService,
    private readonly queue: QueueService,
    private readonly watch: OutcomeWatchService,
    private readonly wakeUp: WakeUpService,
    private readonly metrics: MetricsService,
  ) {}

  /** @throws ServiceError OPERATION_NOT_FOUND */
  async get(id: string, access: Access): Promise<GivenOperation> {
    const operation = await this.find(id, access);
    if (isSettled(operation)) return operation;
    const waiting = await this.whyWaiting(id, access);
    return { ...operation, ...(waiting !== null && { waiting }) };
  }

  /**
   * Returns the operation as soon as it is settled, or unchanged after `timeoutMs`.
   *
   * @throws ServiceError OPERATION_NOT_FOUND
   */
  async wait(id: string, timeoutMs: number, access: Access): Promise<GivenOperation> {
    const operation = await this.find(id, access);
    if (isSettled(operation)) return operation;
    if (timeoutMs > 0) await this.watch.settled(id, timeoutMs);
    return this.get(id, access);
  }

  /** @throws ServiceError INVALID_REQUEST */
  async list(query: IListOperationsQuery, access: Access): Promise<IPage<GivenOperation>> {
    const { limit = DEFAULT_LIMIT, cursor, ...filter } = query;
    const match = toMatch(filter, access);
    const from = checkCursor(cursor);
    return this.database.requests.transaction(async (tx) => {
      sendAlong(tx, walkInOrder());
      const prepared = await prepareMatch(tx, match);
      return prepared === undefined ? { items: [] } : this.page(tx, prepared, limit, from);
    });
  }

  /** @throws ServiceError OPERATION_NOT_FOUND, NOT_CANCELLABLE, LANE_BUSY */
  async cancel(id: string, access: Access): Promise<GivenOperation> {
    await this.assertWithinReach(id, access);
    await this.queue.cancel(id, callerName(access));
    this.metrics.recordCancelled();
    this.wakeUp.chunkSettled();
    return this.get(id, access);
  }

  /** @throws ServiceError OPERATION_NOT_FOUND, NOT_RETRYABLE, LANE_BUSY */
  async retry(id: string, access: Access): Promise<GivenOperation> {
    await this.assertWithinReach(id, access);
    await this.queue.retry(id, callerName(access));
    this.wakeUp.operationsAccepted();
    return this.get(id, access);
  }

  private async page(
    tx: SqlClient,
    match: PreparedMatch,
    limit: number,
    cursor: string | undefined,
  ): Promise<IPage<GivenOperation>> {
    const items: GivenOperation[] = [];
    let bytes = 0;
    const start = await firstStretch(tx, match, 'descending', cursor);
    const nextCursor = await walkMatches(match, start, PAGE_MS, async (stretch) => {
      const limits = { operations: limit - items.length, bytes: PAGE_BYTES - bytes };
      const { rows } = await tx.query<PageRow>(selectPage(match, stretch, limits));
      const { matched, next } = rows[0]!;
      const found = rows.filter((row): row is PageRow & { seq: string } => row.seq !== null);
      items.push(...found.map(toOperation));
      bytes += found.reduce((sum, row) => sum + Number(row.bytes), 0);
      const isCut = items.length === limit || found.length < matched || bytes >= PAGE_BYTES;
      return isCut && found.length > 0 ? { stopAt: found.at(-1)!.seq } : { next };
    });
    return { items, ...(nextCursor !== undefined && { nextCursor }) };
  }

  /** Without the reason why it waits. */
  private async find(id: string, access: Access): Promise<GivenOperation> {
    const { rows } = await this.database.requests.query<OperationRow>(selectOperation(id));
    const [row] = rows;
    if (row === undefined || !reaches(access, row.target)) {
      throw new ServiceError('OPERATION_NOT_FOUND', `There is no operation ${id}`, { id });
    }
    return toOperation(row);
  }

  /** A caller that is limited to some targets does not see what others do in the lane. Null: it was settled meanwhile. */
  private async whyWaiting(id: string, access: Access): Promise<IWaiting | null> {
    const { rows } = await this.database.requests.query<WaitingRow>(selectWaiting(id, access.targets === undefined));
    return rows[0]?.waiting ?? null;
  }

  /**
   * The target of an operation never changes, so the result of this check is still true when the operation is changed.
   */
  private async assertWithinReach(id: string, access: Access): Promise<void> {
    if (access.targets !== undefined) await this.find(id, access);
  }
}

type PageRow = { matched: number; next: string | null } & ({ seq: null } | (OperationRow & { bytes: string }));

const isSettled = ({ status }: GivenOperation): boolean => status !== 'pending' && status !== 'scheduled';
