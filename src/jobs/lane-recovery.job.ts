import { Injectable, Logger } from '@nestjs/common';
import { limitedRetry } from '../batch/chunk/retry-policy.js';
import { backOffMs, type BackOff } from '../interfaces/back-off.js';
import type { PollTask } from '../services/poller/poller.js';
import { toNewLaneBlock } from '../services/queue/lane-block.js';
import { LaneBlocksService } from '../services/queue/lane-blocks.service.js';
import type { ClaimedPlace } from '../services/queue/operation-record.js';
import { StaleCatalogError } from './met-stale-table.js';
import { OperationStepFactory, type ExecuteChunk } from './operation-step.factory.js';

const FAILURE_BACK_OFF: BackOff = { initialMs: 500, maxMs: 5000, jitter: 0.5 };
const STALE_RETRIES = 1;
const NO_BACK_OFF: BackOff = { initialMs: 0, maxMs: 0, jitter: 0 };
/** It checks at least this often, because another process may block a lane, or an operator may resume one. */
const LONGEST_DELAY_MS = 1000;

/**
 * Tries each blocked lane when it is due, with one operation at a time. It does not run in the main job, because an
 * operation that runs until its time-out must not delay the other lanes.
 */
@Injectable()
export class LaneRecoveryJob implements PollTask {
  private readonly logger = new Logger(LaneRecoveryJob.name);
  private readonly executeChunk: ExecuteChunk;
  private hasRescheduled = false;
  private hasRetriedBugs = false;

  constructor(
    steps: OperationStepFactory,
    private readonly laneBlocks: LaneBlocksService,
  ) {
    this.executeChunk = steps.create({
      scope: () => ({ limit: 1, maxLanes: 1, lanes: 'blocked' }),
      // Retries only to read the tables again. For other errors, each lane has its own time of the next try.
      retryPolicy: limitedRetry(STALE_RETRIES, (error) => error instanceof StaleCatalogError, NO_BACK_OFF),
      listener: { onChunkError: (error, read) => this.reschedule(error, read?.claim.operations ?? []) },
    });
  }

  async poll(signal: AbortSignal): Promise<number> {
    this.hasRescheduled = false;
    await this.retryBugs();
    const delayMs = await this.laneBlocks.nextTryInMs();
    if (delayMs === undefined || delayMs > 0) {
      return Math.min(delayMs ?? Infinity, LONGEST_DELAY_MS);
    }
    const { operations, allLanesBusy } = await this.executeChunk(signal);
    if (operations.length > 0) await this.laneBlocks.clear(operations.map(({ lane }) => lane));
    // If nothing was claimed, another worker is trying the lane now.
    return allLanesBusy || operations.length === 0 ? LONGEST_DELAY_MS : 0;
  }

  afterFailure(error: unknown, failures: number): number {
    // The failed lane was rescheduled. Another lane may be due.
    if (this.hasRescheduled) return 0;
    const delayMs = backOffMs(FAILURE_BACK_OFF, failures - 1);
    this.logger.warn({ message: 'Lanes could not be tried', failures, delayMs, reason: (error as Error).message });
    return delayMs;
  }

  /** Runs once, as soon as the database answers, because this process may be the version that fixes the bug. */
  private async retryBugs(): Promise<void> {
    if (this.hasRetriedBugs) return;
    await this.laneBlocks.retryBugs();
    this.hasRetriedBugs = true;
  }

  private async reschedule(error: unknown, [operation]: readonly ClaimedPlace[]): Promise<void> {
    if (operation === undefined || error instanceof StaleCatalogError) return;
    // A lost connection counts too, so that a lane whose operation makes its backend crash is parked in the end.
    await this.laneBlocks.record(toNewLaneBlock(operation, error));
    this.hasRescheduled = true;
  }
}
