import { Injectable } from '@nestjs/common';
import type { IListOperationsQuery } from '../../interfaces/operation-filter.js';
import type { IPage } from '../../interfaces/operation.js';
import type { IWaiting } from '../../interfaces/waiting.js';
import { callerName, reaches, type Access } from '../access/access.js';
import { DatabaseService } from '../database/database.service.js';
import { ServiceError } from '../errors/service-error.js';
import { MetricsService } from '../observability/metrics.service.js';
import { QueueService } from '../queue/queue.service.js';
import { selectWaiting, type WaitingRow } from '../waiting/waiting.sql.js';
import { WakeUpService } from '../wake-up/wake-up.service.js';
import { listOperations } from './list-operations.js';
import { OutcomeWatchService } from './outcome-watch.service.js';
import { selectOperation } from './outcomes.sql.js';
import { toOperation, type GivenOperation, type OperationRow } from './to-operation.js';

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
  list(query: IListOperationsQuery, access: Access): Promise<IPage<GivenOperation>> {
    return listOperations(this.database.requests, query, access);
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

const isSettled = ({ status }: GivenOperation): boolean => status !== 'pending' && status !== 'scheduled';
