import { Injectable, Logger, type BeforeApplicationShutdown, type OnApplicationBootstrap } from '@nestjs/common';
import { v7 as uuid } from 'uuid';
import type { BulkActionKind, IBulkAction, IBulkActionCount } from '../../interfaces/bulk-action.js';
import type { IPage } from '../../interfaces/operation.js';
import type { Access } from '../access/access.js';
import { DatabaseService } from '../database/database.service.js';
import { MetricsService } from '../observability/metrics.service.js';
import { Poller, type PollTask } from '../poller/poller.js';
import { WakeUpService } from '../wake-up/wake-up.service.js';
import { BulkActions } from './bulk-actions.js';
import { BulkWork } from './bulk-work.js';

/** How long a request works on its action before it is answered. Most actions have ended by then. */
const ANSWER_MS = 1500;
/** How long a process works on an action before it looks for one that has waited longer. */
const SLICE_MS = 2000;
/** How often a process looks for an action whose process is gone. */
const INTERVAL_MS = 2000;

/**
 * Bulk actions of this process, in every role. The process that takes a request begins with it at once. It goes on after
 * the answer, and so does any other process whose turn comes first: of an action that nobody works on, or whose process
 * is gone.
 */
@Injectable()
export class BulkActionsService implements PollTask, OnApplicationBootstrap, BeforeApplicationShutdown {
  private readonly logger = new Logger(BulkActionsService.name);
  private readonly poller = new Poller(this);
  private readonly actions: BulkActions;
  private readonly work: BulkWork;

  constructor(
    database: DatabaseService,
    private readonly wakeUp: WakeUpService,
    private readonly metrics: MetricsService,
  ) {
    const identity = uuid();
    this.actions = new BulkActions(database.requests, identity);
    this.work = new BulkWork(database.requests, identity, (action, operations) => this.tell(action, operations));
  }

  onApplicationBootstrap(): void {
    this.poller.start(Math.random() * INTERVAL_MS);
  }

  async beforeApplicationShutdown(): Promise<void> {
    await this.poller.stop();
  }

  /**
   * Counts the matching operations (`dryRun`), or begins the action and works on it for a while.
   *
   * @throws ServiceError INVALID_REQUEST, INVALID_ID, COUNT_CHANGED, IDEMPOTENCY_CONFLICT
   */
  async request(action: BulkActionKind, body: unknown, access: Access): Promise<IBulkActionCount | IBulkAction> {
    const begun = await this.actions.request(action, body, access);
    if ('dryRun' in begun || begun.status !== 'running') return begun;
    const after = await this.work.workOn(begun.id, ANSWER_MS);
    if (after.status === 'running') this.poller.wake(0);
    return after;
  }

  /** @throws ServiceError BULK_ACTION_NOT_FOUND */
  get(id: string, access: Access): Promise<IBulkAction> {
    return this.actions.get(id, access);
  }

  /** @throws ServiceError INVALID_REQUEST */
  list(page: { limit?: number; cursor?: string }, access: Access): Promise<IPage<IBulkAction>> {
    return this.actions.list(page, access);
  }

  /** @throws ServiceError BULK_ACTION_NOT_FOUND, BULK_ACTION_ENDED */
  stop(id: string, access: Access): Promise<IBulkAction> {
    return this.actions.stop(id, access);
  }

  async poll(signal: AbortSignal): Promise<number> {
    const id = await this.work.lease();
    if (id === undefined) return INTERVAL_MS;
    const { action, status, matched, done, skipped } = await this.work.workOn(id, SLICE_MS, signal);
    if (status !== 'running') {
      this.logger.log({ message: 'A bulk action has ended', id, action, status, matched, done, skipped });
    }
    return 0;
  }

  afterFailure(error: unknown): number {
    this.logger.warn(`Could not work on bulk actions; trying again: ${(error as Error).message}`);
    return INTERVAL_MS;
  }

  private tell(action: BulkActionKind, operations: number): void {
    if (action === 'retry') this.wakeUp.operationsAccepted();
    if (action !== 'cancel') return;
    this.metrics.recordCancelled(operations);
    this.wakeUp.chunkSettled();
  }
}
