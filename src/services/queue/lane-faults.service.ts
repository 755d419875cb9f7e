import { Injectable, Logger } from '@nestjs/common';
import type { FaultKind, ILaneFault } from '../../interfaces/lane.js';
import { insertAudit } from '../audit/audit.sql.js';
import { DatabaseService } from '../database/database.service.js';
import { ServiceError } from '../errors/service-error.js';
import { resumeLane, selectFaults } from './lanes.sql.js';

interface FaultRow {
  lane: number;
  targets: string[];
  operationId: string;
  failures: number;
  kind: FaultKind;
  message: string;
  sqlState: string | null;
  worker: string;
  firstFailedAt: Date;
  nextTryAt: Date;
  parkedAt: Date | null;
}

/** Shows operators the lanes that stand still, and resumes them. */
@Injectable()
export class LaneFaultsService {
  private readonly logger = new Logger(LaneFaultsService.name);

  constructor(private readonly database: DatabaseService) {}

  async list(): Promise<ILaneFault[]> {
    const { rows } = await this.database.requests.query<FaultRow>(selectFaults());
    return rows.map(toLaneFault);
  }

  /**
   * Lets a lane be tried at once, as if it had not failed before.
   *
   * @param actor the caller that resumes it, see `callerName`
   * @throws ServiceError LANE_NOT_FOUND when the lane does not stand still
   */
  async resume(lane: number, actor?: string): Promise<ILaneFault> {
    await this.database.requests.transaction(async (tx) => {
      const { rows } = await tx.query(resumeLane(lane));
      if (rows.length === 0) return;
      await tx.query(insertAudit([{ act: 'resume', actor, subject: { kind: 'lane', id: String(lane) } }]));
    });
    const fault = (await this.list()).find((found) => found.lane === lane);
    if (fault === undefined) throw new ServiceError('LANE_NOT_FOUND', `Lane ${lane} does not stand still`, { lane });
    this.logger.log({ message: 'Lane was resumed', lane });
    return fault;
  }
}

function toLaneFault({ sqlState, firstFailedAt, nextTryAt, parkedAt, ...row }: FaultRow): ILaneFault {
  return {
    ...row,
    ...(sqlState !== null && { sqlState }),
    firstFailedAt: firstFailedAt.toISOString(),
    ...(parkedAt === null ? { nextTryAt: nextTryAt.toISOString() } : { parkedAt: parkedAt.toISOString() }),
  };
}
