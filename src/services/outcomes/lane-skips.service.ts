import { Injectable, Logger } from '@nestjs/common';
import type { ISkippedOperation } from '../../interfaces/lane.js';
import { callerName, type Access } from '../access/access.js';
import { insertAudit } from '../audit/audit.sql.js';
import { DatabaseService } from '../database/database.service.js';
import { ServiceError } from '../errors/service-error.js';
import { LaneBlocksService } from '../queue/lane-blocks.service.js';
import { clearBlocks } from '../queue/lane-blocks.sql.js';
import { WakeUpService } from '../wake-up/wake-up.service.js';
import { OperationsService } from './operations.service.js';

/** Lets a blocked lane go on without the operation in the way. */
@Injectable()
export class LaneSkipsService {
  private readonly logger = new Logger(LaneSkipsService.name);

  constructor(
    private readonly database: DatabaseService,
    private readonly blocks: LaneBlocksService,
    private readonly operations: OperationsService,
    private readonly wakeUp: WakeUpService,
  ) {}

  /**
   * Cancels the operation that blocks the lane, and unblocks the lane.
   *
   * @param expected the operation that the caller means, in lower case. Absent: whichever blocks the lane now
   * @throws ServiceError LANE_NOT_FOUND when no fault blocks the lane; BLOCK_CHANGED; NOT_CANCELLABLE, LANE_BUSY as for a cancel
   */
  async skip(lane: number, access: Access, expected?: string): Promise<ISkippedOperation> {
    const block = (await this.blocks.list()).find((found) => found.lane === lane);
    if (block === undefined) throw new ServiceError('LANE_NOT_FOUND', `Lane ${lane} is not blocked`, { lane });
    const { operationId } = block;
    if (expected !== undefined && expected !== operationId) {
      const message = `Operation ${operationId} blocks lane ${lane} now, not ${expected}. Nothing was changed; look at it first`;
      throw new ServiceError('BLOCK_CHANGED', message, { lane, operationId });
    }
    await this.operations.cancel(operationId, access);
    await this.database.requests.transaction(async (tx) => {
      await tx.query(clearBlocks([lane]));
      const subject = { kind: 'lane' as const, id: String(lane) };
      await tx.query(insertAudit([{ act: 'skip', actor: callerName(access), subject, details: { operationId } }]));
    });
    this.logger.log({ message: 'The operation that blocked a lane was cancelled', lane, operationId });
    this.wakeUp.operationsAccepted();
    return { lane, operationId };
  }
}
