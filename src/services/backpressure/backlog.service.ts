import { Inject, Injectable, Logger } from '@nestjs/common';
import { SETTINGS, type Settings } from '../config/settings.js';
import { DatabaseService } from '../database/database.service.js';
import { MetricsService } from '../observability/metrics.service.js';
import { withTimeout } from '../observability/with-timeout.js';
import { countBacklog, RATE_WINDOW_SECONDS, type BacklogRow } from './backlog.sql.js';
import { queueFull } from './overload-errors.js';
import { retryAfterMs } from './retry-after.js';

/** Operations on their way in. Call it once, with how many of them were stored. */
export type Conclude = (stored: number) => void;

interface Count {
  /** Pending and delayed operations when it was made. */
  operations: number;
  settledPerSecond: number;
  /** What this process had stored when the count began. */
  storedBefore: number;
}

/** A small queue is emptied within moments: a rarer look would leave the workers idle meanwhile. */
const SHORTEST_INTERVAL_MS = 100;
/** Counting takes no more than a twentieth of a connection, however long the queue is. */
const INTERVAL_PER_COUNT = 20;
const COUNT_TIMEOUT_MS = 1000;
/** Full, it takes operations again from here on: callers are not let in one by one. */
const LOW_MARK = 0.95;

/**
 * Refuses operations while too many wait. What waits is counted now and then, only while operations come in; between two counts
 * it adds what this process stores. It promises that nobody is refused on an old count, nor where the count is not known, and
 * that whoever comes later does not overtake who awaits a count. Other processes' operations are seen with the next count, and
 * the last request may go beyond the limit by its own operations.
 */
@Injectable()
export class BacklogService {
  private readonly logger = new Logger(BacklogService.name);
  private readonly limit: number;
  private known: Count | undefined;
  private counting: Promise<void> | undefined;
  /** Somebody waits for the count that is under way. */
  private awaited = false;
  private nextCountAt = 0;
  private full = false;
  private entering = 0;
  private stored = 0;

  constructor(
    private readonly database: DatabaseService,
    metrics: MetricsService,
    @Inject(SETTINGS) settings: Pick<Settings, 'intake'>,
  ) {
    this.limit = settings.intake.maxBacklog;
    metrics.readBacklogBy(() => this.estimate());
  }

  /** @throws ServiceError QUEUE_FULL */
  async enter(operations: number): Promise<Conclude> {
    if (this.limit > 0) await this.checkRoom();
    this.entering += operations;
    return (stored) => {
      this.entering -= operations;
      this.stored += stored;
    };
  }

  private async checkRoom(): Promise<void> {
    if (performance.now() >= this.nextCountAt) this.counting ??= this.count();
    if (this.counting !== undefined && (this.awaited || this.isFull())) {
      this.awaited = true;
      await this.counting;
    }
    if (this.isFull()) throw queueFull(this.limit, this.retryAfterMs());
  }

  private isFull(): boolean {
    const backlog = this.estimate();
    this.full = backlog !== undefined && backlog >= (this.full ? this.limit * LOW_MARK : this.limit);
    return this.full;
  }

  private estimate(): number | undefined {
    return this.known && this.known.operations + this.stored - this.known.storedBefore + this.entering;
  }

  private retryAfterMs(): number {
    const excess = (this.estimate() ?? 0) - this.limit * LOW_MARK;
    return retryAfterMs(excess, this.known?.settledPerSecond ?? 0);
  }

  /** Never rejects: without an answer of the database the count is not known. */
  private async count(): Promise<void> {
    const startedAt = performance.now();
    const storedBefore = this.stored;
    try {
      const { rows } = await withTimeout(
        this.database.query<BacklogRow>(countBacklog(this.limit + 1)),
        COUNT_TIMEOUT_MS,
      );
      const { pending, delayed, settled } = rows[0]!;
      this.known = { operations: pending + delayed, settledPerSecond: settled / RATE_WINDOW_SECONDS, storedBefore };
    } catch (error) {
      this.known = undefined;
      this.logger.warn(`The backlog could not be counted, so nothing is refused for it: ${(error as Error).message}`);
    } finally {
      const now = performance.now();
      const pause = this.known === undefined ? COUNT_TIMEOUT_MS : SHORTEST_INTERVAL_MS;
      this.nextCountAt = now + Math.max(pause, INTERVAL_PER_COUNT * (now - startedAt));
      this.counting = undefined;
      this.awaited = false;
    }
  }
}
