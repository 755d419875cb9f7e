import { Injectable } from '@nestjs/common';
import type { ILane, ILaneBlock, ILaneClosure, ILaneLock, LaneState } from '../../interfaces/lane.js';
import { DatabaseService } from '../database/database.service.js';
import { toPause } from '../pauses/pauses.js';
import { selectPauses, type PauseRow } from '../pauses/pauses.sql.js';
import {
  selectClosedLanes,
  selectLockedLanes,
  type ClosedLaneRow,
  type LockedLaneRow,
} from '../waiting/waiting.sql.js';
import { LaneBlocksService } from './lane-blocks.service.js';
import { selectLanes, type LaneRow } from './lane-list.sql.js';

/** More operations of a lane are not counted. All lanes together are then counted within some ten milliseconds. */
const COUNTED = 10_000;

/** Shows every lane that has tables: what waits in it, what it does, and what keeps it from going on. */
@Injectable()
export class LaneListService {
  constructor(
    private readonly database: DatabaseService,
    private readonly blocks: LaneBlocksService,
  ) {}

  async list(): Promise<ILane[]> {
    const { requests } = this.database;
    const [blocks, { rows }, { rows: locked }, { rows: closed }, { rows: pauses }] = await Promise.all([
      this.blocks.list(),
      // One more than is counted shows that there are more.
      requests.query<LaneRow>(selectLanes(COUNTED + 1)),
      requests.query<LockedLaneRow>(selectLockedLanes()),
      requests.query<ClosedLaneRow>(selectClosedLanes()),
      requests.query<PauseRow>(selectPauses()),
    ]);
    const blockOf = new Map(blocks.map((block) => [block.lane, block]));
    const lockOf = new Map(locked.map((row) => [row.lane, toLock(row)]));
    const closureOf = new Map(closed.map(({ lane, targets, holders }) => [lane, { targets, holders }]));
    return rows.map((row) => ({
      ...toLane(row, blockOf.get(row.lane), lockOf.get(row.lane), closureOf.get(row.lane)),
      pauses: pauses.filter((pause) => concerns(pause, row)).map(toPause),
    }));
  }
}

function concerns({ kind, name }: PauseRow, { lane, targets }: LaneRow): boolean {
  return (kind === 'lane' && name === String(lane)) || (kind === 'target' && targets.includes(name));
}

function toLock({ waitingMs, relation, holders }: LockedLaneRow): ILaneLock {
  return { sinceMs: Math.round(waitingMs), ...(relation !== null && { relation }), holders };
}

function toLane(
  row: LaneRow,
  block: ILaneBlock | undefined,
  lock: ILaneLock | undefined,
  closed: ILaneClosure | undefined,
): Omit<ILane, 'pauses'> {
  const { lane, targets, waiting, headId, headCreatedAt, oldestMs } = row;
  return {
    lane,
    targets,
    waiting: Math.min(waiting, COUNTED),
    waitingIsExact: waiting <= COUNTED,
    ...(headId !== null && headCreatedAt !== null && { head: { id: headId, createdAt: headCreatedAt.toISOString() } }),
    oldestMs,
    state: stateOf(row, block, lock, closed),
    ...(block !== undefined && { block }),
    ...(lock !== undefined && { lock }),
    ...(closed !== undefined && { closed }),
  };
}

/** A blocked lane stays blocked while a chunk tries it again. */
function stateOf(
  { waiting, held }: LaneRow,
  block: ILaneBlock | undefined,
  lock: ILaneLock | undefined,
  closed: ILaneClosure | undefined,
): LaneState {
  if (block !== undefined) return block.parkedAt === undefined ? 'blocked' : 'parked';
  if (lock !== undefined) return 'blocked';
  if (held) return 'running';
  if (closed !== undefined) return 'closed';
  return waiting > 0 ? 'waiting' : 'idle';
}
