import { Inject, Injectable, Logger } from '@nestjs/common';
import { InjectRepository } from '@nestjs/typeorm';
import type { Repository } from 'typeorm';
import { LaneBlockEntity } from '../../entities/lane-block.entity.js';
import type { ILaneBlock } from '../../interfaces/lane.js';
import { insertAudit } from '../audit/audit.sql.js';
import { SETTINGS, type Settings } from '../config/settings.js';
import { DatabaseService } from '../database/database.service.js';
import { ServiceError } from '../errors/service-error.js';
import { nextTry, type NewLaneBlock } from './lane-block.js';
import {
  clearBlocks,
  clearIdleBlocks,
  nextTryOfLanes,
  recordBlock,
  resumeLane,
  retryBugs,
  scheduleTry,
} from './lane-blocks.sql.js';
import { WORKER_NAME } from './worker-name.js';

/** Records blocked lanes, decides when each is tried again, shows them to operators, and resumes them. */
@Injectable()
export class LaneBlocksService {
  private readonly logger = new Logger(LaneBlocksService.name);

  constructor(
    @InjectRepository(LaneBlockEntity) private readonly blocks: Repository<LaneBlockEntity>,
    private readonly database: DatabaseService,
    @Inject(SETTINGS) private readonly settings: Settings,
  ) {}

  /** Blocks the lane. It is then tried separately, with growing pauses, until it is parked (see `nextTry`). */
  async record(fault: NewLaneBlock): Promise<void> {
    await this.database.transaction(async (tx) => {
      const { rows } = await tx.query<{ failures: number }>(recordBlock(fault, WORKER_NAME));
      const failures = rows[0]?.failures ?? 1;
      const { lane, kind, sqlState } = fault;
      // The error of an operation may quote its values, and only callers with a key may see these.
      const reason = kind === 'operation' || kind === 'unknown' ? 'see GET lanes' : fault.message;
      const { delayMs, parked } = nextTry(kind, failures, this.settings.execution.laneTries);
      const { rows: scheduled } = await tx.query<{ targets: string[] }>(scheduleTry(lane, delayMs, parked));
      const targets = scheduled[0]?.targets ?? [];
      if (parked) {
        this.logger.error({
          message: 'Lane was parked until somebody resumes it',
          lane,
          targets,
          failures,
          kind,
          reason,
          sqlState,
        });
      } else {
        this.logger.warn({ message: 'Lane is blocked', lane, targets, failures, delayMs, kind, reason, sqlState });
      }
    });
  }

  /**
   * Unblocks lanes in which an operation was executed. A lane stays blocked if the operation that blocks it still
   * waits, because an operation of higher priority may have overtaken it.
   */
  async clear(lanes: readonly number[]): Promise<void> {
    const { rows } = await this.database.query<{ lane: number }>(clearBlocks(lanes));
    if (rows.length > 0) this.logger.log({ message: 'Lanes go on after a fault', lanes: rows.map(({ lane }) => lane) });
  }

  /** Makes lanes that a bug has blocked due now. Call it when a process starts, because it may be a newer version. */
  async retryBugs(): Promise<void> {
    await this.database.query(retryBugs());
  }

  /** Milliseconds until the next blocked lane is to be tried. Undefined when there is none. */
  async nextTryInMs(): Promise<number | undefined> {
    await this.database.query(clearIdleBlocks());
    const { rows } = await this.database.query<{ dueInMs: number | null }>(nextTryOfLanes());
    return rows[0]?.dueInMs ?? undefined;
  }

  async list(): Promise<ILaneBlock[]> {
    const faults = await this.database.requests.within(() => this.blocks.find({ order: { lane: 'ASC' } }));
    return faults.map(toLaneBlock);
  }

  /**
   * Lets a lane be tried at once, as if it had not failed before.
   *
   * @param actor the caller that resumes it, see `callerName`
   * @throws ServiceError LANE_NOT_FOUND when the lane is not blocked
   */
  async resume(lane: number, actor?: string): Promise<ILaneBlock> {
    await this.database.requests.transaction(async (tx) => {
      const { rows } = await tx.query(resumeLane(lane));
      if (rows.length === 0) return;
      await tx.query(insertAudit([{ act: 'resume', actor, subject: { kind: 'lane', id: String(lane) } }]));
    });
    const fault = (await this.list()).find((found) => found.lane === lane);
    if (fault === undefined) throw new ServiceError('LANE_NOT_FOUND', `Lane ${lane} is not blocked`, { lane });
    this.logger.log({ message: 'Lane was resumed', lane });
    return fault;
  }
}

function toLaneBlock({ seq: _, sqlState, firstFailedAt, nextTryAt, parkedAt, ...fault }: LaneBlockEntity): ILaneBlock {
  return {
    ...fault,
    ...(sqlState !== null && { sqlState }),
    firstFailedAt: firstFailedAt.toISOString(),
    ...(parkedAt === null ? { nextTryAt: nextTryAt.toISOString() } : { parkedAt: parkedAt.toISOString() }),
  };
}
