import { Injectable } from '@nestjs/common';
import type { ILane, ILaneBlock, LaneState } from '../../interfaces/lane.js';
import { DatabaseService } from '../database/database.service.js';
import { LaneBlocksService } from './lane-blocks.service.js';
import { selectLanes, type LaneRow } from './lane-list.sql.js';

/** More operations of a lane are not counted. All lanes together are then counted within some ten milliseconds. */
const COUNTED = 10_000;

/** Shows every lane that has tables: what waits in it, and what it does. */
@Injectable()
export class LaneListService {
  constructor(
    private readonly database: DatabaseService,
    private readonly blocks: LaneBlocksService,
  ) {}

  async list(): Promise<ILane[]> {
    const [blocks, { rows }] = await Promise.all([
      this.blocks.list(),
      // One more than is counted shows that there are more.
      this.database.requests.query<LaneRow>(selectLanes(COUNTED + 1)),
    ]);
    const blockOf = new Map(blocks.map((block) => [block.lane, block]));
    return rows.map((row) => toLane(row, blockOf.get(row.lane)));
  }
}

function toLane(row: LaneRow, block: ILaneBlock | undefined): ILane {
  const { lane, targets, waiting, headId, headCreatedAt, oldestMs } = row;
  return {
    lane,
    targets,
    waiting: Math.min(waiting, COUNTED),
    waitingIsExact: waiting <= COUNTED,
    ...(headId !== null && headCreatedAt !== null && { head: { id: headId, createdAt: headCreatedAt.toISOString() } }),
    oldestMs,
    state: stateOf(row, block),
    ...(block !== undefined && { block }),
  };
}

/** A blocked lane stays blocked while a chunk tries it again. */
function stateOf({ waiting, held, lockedOut }: LaneRow, block: ILaneBlock | undefined): LaneState {
  if (block !== undefined) return block.parkedAt === undefined ? 'blocked' : 'parked';
  if (lockedOut) return 'blocked';
  if (held) return 'running';
  return waiting > 0 ? 'waiting' : 'idle';
}
