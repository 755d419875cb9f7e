import {
  Inject,
  Injectable,
  Logger,
  type BeforeApplicationShutdown,
  type OnApplicationBootstrap,
} from '@nestjs/common';
import { SETTINGS, type Settings } from '../config/settings.js';
import { DatabaseService } from '../database/database.service.js';
import type { SqlStatement } from '../../interfaces/sql.js';
import { MetricsService } from '../observability/metrics.service.js';
import { MAX_SHAPES } from '../../entities/functions/register-shape.js';
import { Poller, type PollTask } from '../poller/poller.js';
import { advance, cutoffsAt, isAtEnd, NEW_WALK, pauseAfter, type Cutoffs, type Walk } from './retention-policy.js';
import {
  deleteActions,
  deleteChunks,
  deleteCompleted,
  deleteFailed,
  deleteLostWorkers,
  deleteUnusedShapes,
  lockUnusedShapes,
  takeTurn,
  type StepRow,
  type Turn,
} from './retention.sql.js';

const OPERATIONS_PER_STEP = 2000;
const INTERVAL_MS = 60_000;
/** How often it searches for unused shapes. It is rare, because each search reads all operations. */
const SHAPES_INTERVAL_MS = 3_600_000;
/**
 * Entries that were skipped are examined again after this time. An example is a chunk whose callers were not notified
 * yet.
 */
const WALK_AGAIN_MS = 6 * 3_600_000;

/** The order matters, because a chunk is deleted after its operations. */
const KINDS = ['completed', 'failed', 'chunk'] as const;
type Kind = (typeof KINDS)[number];

interface Step {
  more: boolean;
  workers: number;
}

/**
 * Deletes what was settled longer ago than the settings allow. It promises to keep everything that waits, that is
 * younger, or that its callers were not notified of yet. It works in one process at a time, in steps of some
 * milliseconds, for at most a tenth of the time.
 */
@Injectable()
export class RetentionService implements PollTask, OnApplicationBootstrap, BeforeApplicationShutdown {
  private readonly logger = new Logger(RetentionService.name);
  private readonly poller = new Poller(this);
  private walks = newWalks();
  private walkAgainAt = 0;
  private nextShapesAt = 0;
  private deleted = new Map<string, number>();

  constructor(
    @Inject(SETTINGS) private readonly settings: Pick<Settings, 'retention'>,
    private readonly database: DatabaseService,
    private readonly metrics: MetricsService,
  ) {}

  onApplicationBootstrap(): void {
    // Workers that start at the same time should not run at the same moment every minute.
    this.poller.start(Math.random() * INTERVAL_MS);
  }

  async beforeApplicationShutdown(): Promise<void> {
    await this.poller.stop();
  }

  /** Runs one step. Returns when to run the next one. */
  async poll(): Promise<number> {
    this.beginAnewWhenDue();
    const startedAt = performance.now();
    for (const kind of KINDS) {
      const step = await this.step(kind);
      if (step === undefined) return INTERVAL_MS;
      if (step.more) return pauseAfter(performance.now() - startedAt, step.workers);
    }
    await this.database.query(deleteLostWorkers());
    await this.deleteBulkActions();
    this.tellDeleted();
    await this.deleteShapes();
    return INTERVAL_MS;
  }

  afterFailure(error: unknown): number {
    this.logger.warn(`Could not delete old data; trying again: ${(error as Error).message}`);
    return INTERVAL_MS;
  }

  /** Returns undefined when another process holds the lock. */
  private async step(kind: Kind): Promise<Step | undefined> {
    const walk = this.walks[kind];
    const done = await this.database.transaction(async (tx) => {
      const { rows: turns } = await tx.query<Turn>(takeTurn());
      const { held, now, workers } = turns[0]!;
      if (!held) return undefined;
      const statement = statementOf(kind, walk, cutoffsAt(now, this.settings.retention));
      const row = statement && (await tx.query<StepRow>(statement)).rows[0]!;
      return { row, workers };
    });
    if (done?.row === undefined) return done && { more: false, workers: done.workers };
    const { row, workers } = done;
    this.count(row);
    const window = kind === 'failed' ? OPERATIONS_PER_STEP : walk.window;
    const last = row.settledAt !== null && row.tie !== null ? { settledAt: row.settledAt, tie: row.tie } : null;
    const result = { walked: row.walked, last, cut: row.cut };
    this.walks[kind] = advance(walk, result);
    return { more: !isAtEnd(result, window), workers };
  }

  /**
   * A bulk action shows what was done to operations of every kind, so it is kept as long as a chunk. There are few, so one
   * statement deletes them.
   */
  private async deleteBulkActions(): Promise<void> {
    const { chunk } = cutoffsAt(new Date(), this.settings.retention);
    if (chunk !== undefined) await this.database.query(deleteActions(chunk));
  }

  /** Does nothing while there are few shapes, because the search for unused ones reads all operations. */
  private async deleteShapes(): Promise<void> {
    if (performance.now() < this.nextShapesAt) return;
    await this.database.transaction(async (tx) => {
      const { rows: turns } = await tx.query<Turn>(takeTurn());
      if (!turns[0]!.held) return;
      this.nextShapesAt = performance.now() + SHAPES_INTERVAL_MS;
      const { rows } = await tx.query<{ id: number }>(lockUnusedShapes(MAX_SHAPES / 2));
      if (rows.length > 0) await tx.query(deleteUnusedShapes(rows.map(({ id }) => id)));
    });
  }

  private beginAnewWhenDue(): void {
    if (performance.now() < this.walkAgainAt) return;
    this.walks = newWalks();
    this.walkAgainAt = performance.now() + WALK_AGAIN_MS;
  }

  private count({ completed, failed, cancelled, chunks }: StepRow): void {
    for (const [kind, count] of Object.entries({ completed, failed, cancelled, chunk: chunks })) {
      if (count === 0) continue;
      this.metrics.recordDeleted(kind, count);
      this.deleted.set(kind, (this.deleted.get(kind) ?? 0) + count);
    }
  }

  private tellDeleted(): void {
    if (this.deleted.size === 0) return;
    this.logger.log({ message: 'Deleted what was settled long ago', ...Object.fromEntries(this.deleted) });
    this.deleted = new Map();
  }
}

function newWalks(): Record<Kind, Walk> {
  return { completed: NEW_WALK, failed: NEW_WALK, chunk: NEW_WALK };
}

/** Undefined when that kind is kept forever. */
function statementOf(kind: Kind, { place, window }: Walk, cutoffs: Cutoffs): SqlStatement | undefined {
  const before = cutoffs[kind];
  if (before === undefined) return undefined;
  switch (kind) {
    case 'completed':
      return deleteCompleted(place, before, window, OPERATIONS_PER_STEP);
    case 'failed':
      return deleteFailed(place, before, OPERATIONS_PER_STEP);
    case 'chunk':
      return deleteChunks(place, before, window);
    default:
      return kind satisfies never;
  }
}
