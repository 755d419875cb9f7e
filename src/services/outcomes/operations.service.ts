import { Injectable } from '@nestjs/common';
import type { IListOperationsQuery, IPage } from '../../interfaces/operation.js';
import { callerName, reaches, type Access } from '../access/access.js';
import { parseTargetName, tableId } from '../catalog/target-name.js';
import { DatabaseService } from '../database/database.service.js';
import { ServiceError } from '../errors/service-error.js';
import { MetricsService } from '../observability/metrics.service.js';
import { QueueService } from '../queue/queue.service.js';
import { WakeUpService } from '../wake-up/wake-up.service.js';
import { checkCursor, FIRST_PAGE } from './cursor.js';
import { OutcomeWatchService } from './outcome-watch.service.js';
import { selectOperation, selectPage } from './outcomes.sql.js';
import { toOperation, type GivenOperation, type OperationRow } from './to-operation.js';

const DEFAULT_LIMIT = 100;
/** How many operations a page examines at most to find those that match. */
const WINDOW = 10_000;
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
    const { rows } = await this.database.requests.query<OperationRow>(selectOperation(id));
    const [row] = rows;
    if (row === undefined || !reaches(access, row.target)) {
      throw new ServiceError('OPERATION_NOT_FOUND', `There is no operation ${id}`, { id });
    }
    return toOperation(row);
  }

  /**
   * Returns the operation as soon as it is settled, or unchanged after `timeoutMs`.
   *
   * @throws ServiceError OPERATION_NOT_FOUND
   */
  async wait(id: string, timeoutMs: number, access: Access): Promise<GivenOperation> {
    const operation = await this.get(id, access);
    if (isSettled(operation) || timeoutMs <= 0) return operation;
    await this.watch.settled(id, timeoutMs);
    return this.get(id, access);
  }

  /** @throws ServiceError INVALID_REQUEST */
  async list(query: IListOperationsQuery, access: Access): Promise<IPage<GivenOperation>> {
    const limits = { operations: query.limit ?? DEFAULT_LIMIT, bytes: PAGE_BYTES, window: WINDOW };
    const cursor = checkCursor(query.cursor) ?? FIRST_PAGE;
    const target = query.target === undefined ? undefined : canonicalTarget(query.target);
    const filter = { ...query, target, reach: access.targets?.patterns };
    const { rows } = await this.database.requests.query<PageRow>(selectPage(filter, cursor, limits));
    const found = rows.filter((row): row is PageRow & OperationRow => row.seq !== null);
    const isCut = found.length === limits.operations || found.length < (rows[0]?.matched ?? 0);
    const nextCursor = isCut ? found.at(-1)?.seq : endOfWindow(rows[0]);
    return { items: found.map(toOperation), ...(nextCursor !== undefined && { nextCursor }) };
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

  /**
   * The target of an operation never changes, so the result of this check is still true when the operation is changed.
   */
  private async assertWithinReach(id: string, access: Access): Promise<void> {
    if (access.targets !== undefined) await this.get(id, access);
  }
}

type PageRow = { walked: number; floor: string | null; matched: number } & ({ seq: null } | OperationRow);

const isSettled = ({ status }: GivenOperation): boolean => status !== 'pending' && status !== 'scheduled';

/** Where a page with too few results stopped examining. Older operations may match. */
const endOfWindow = (row: PageRow | undefined): string | undefined =>
  row?.walked === WINDOW ? (row.floor ?? undefined) : undefined;

/** `orders` is stored as `public.orders`. */
function canonicalTarget(target: string): string {
  const name = parseTargetName(target);
  if (name !== undefined) return tableId(name);
  throw new ServiceError('INVALID_REQUEST', 'target must be a `table` (in schema `public`) or `schema.table`', {
    parameter: 'target',
  });
}
