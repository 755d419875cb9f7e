import { Injectable } from '@nestjs/common';
import { v7 as uuid } from 'uuid';
import { DatabaseService } from '../database/database.service.js';
import type { SqlClient } from '../../interfaces/sql.js';
import type { ClaimWatermarks } from './claim-cursor.js';
import type { ClaimScope } from './claim-scope.js';
import { takeLanes, type TakenLanes } from './claim.sql.js';
import { LaneRegisterService, type DeferredMove } from './lane-register.service.js';
import { WORKER_NAME } from './worker-name.js';
import { beat, leave } from './workers.sql.js';

const BEAT_INTERVAL_MS = 1000;
/** A worker that was not seen for this time gets no share. */
const LIVES_FOR_MS = 3000;
/**
 * The catalog's version does not change when objects are altered or dropped. So lanes are also compared at this
 * interval.
 */
const COMPARE_INTERVAL_MS = 60_000;
const NO_MOVE = { closed: [], targets: [] };

/**
 * Shares the lanes among the workers. It promises that a lane has one chunk at a time. A worker takes its fair share of
 * the lanes in which operations wait. A lane is released when the transaction that took it ends, so a worker that dies
 * holds no lane.
 */
@Injectable()
export class LanesService {
  private readonly id = uuid();
  /** The version of the catalog for which the lanes of all tables are right. */
  private version = '';
  private nextComparisonAt = 0;
  private workers = 1;
  private nextBeatAt = 0;
  private knownMove: DeferredMove | undefined;

  constructor(
    private readonly database: DatabaseService,
    private readonly register: LaneRegisterService,
  ) {}

  /** Takes free lanes until the end of `tx`. */
  async take(tx: SqlClient, scope: ClaimScope, watermarks: ClaimWatermarks): Promise<TakenLanes> {
    const known = performance.now() < this.nextComparisonAt ? this.version : '';
    const taken = await this.tryToTake(tx, scope, watermarks, known);
    if (taken.version === known && !taken.entered) return taken;
    await this.register.adapt(known, taken.entered);
    this.version = taken.version;
    if (known === '') this.nextComparisonAt = performance.now() + COMPARE_INTERVAL_MS;
    return this.tryToTake(tx, scope, watermarks, taken.version);
  }

  /**
   * Tells the other workers that this one is alive, and `batch.why_waiting` which lanes are closed. Call it often: it
   * asks the database only once a second, and when other lanes are closed.
   */
  async beat(): Promise<void> {
    const move = this.register.deferredMove;
    if (performance.now() < this.nextBeatAt && move === this.knownMove) return;
    this.nextBeatAt = performance.now() + BEAT_INTERVAL_MS;
    this.knownMove = move;
    const { rows } = await this.database.query<{ workers: number }>(
      beat(this.id, WORKER_NAME, LIVES_FOR_MS, move ?? NO_MOVE),
    );
    this.workers = rows[0]?.workers ?? 1;
  }

  /** Lanes that this worker has closed, see `LaneRegisterService.closedLanes`. */
  get closedLanes(): readonly number[] {
    return this.register.deferredMove?.closed ?? [];
  }

  /** Leaves its share to the other workers. */
  async leave(): Promise<void> {
    await this.database.query(leave(this.id));
  }

  private async tryToTake(
    tx: SqlClient,
    scope: ClaimScope,
    watermarks: ClaimWatermarks,
    version: string,
  ): Promise<TakenLanes> {
    const closed = [...(await this.register.closedLanes()), ...(scope.without ?? [])];
    const { rows } = await tx.query<TakenLanes>(takeLanes(scope, watermarks, this.workers, version, closed));
    return rows[0]!;
  }
}
