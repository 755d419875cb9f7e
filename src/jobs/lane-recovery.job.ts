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
/**
 * Another process may record that a lane is blocked, or an operator may resume one, so it checks at least this often.
 */
const LONGEST_DELAY_MS = 1000;

/**
 * Tries the blocked lanes, one operation at a time, each when its time has come. It runs beside the main job
 * and not in it: an operation that runs until its time-out must not delay lanes that work.
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
      // Retries only to read the tables again, because each lane has its own time.
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
    // Another worker is trying it now.
    return allLanesBusy || operations.length === 0 ? LONGEST_DELAY_MS : 0;
  }

  afterFailure(error: unknown, failures: number): number {
    // The lane has its own time now. The next one may be due.
    if (this.hasRescheduled) return 0;
    const delayMs = backOffMs(FAILURE_BACK_OFF, failures - 1);
    this.logger.warn({ message: 'Lanes could not be tried', failures, delayMs, reason: (error as Error).message });
    return delayMs;
  }

  /** Once, as soon as the database answers: this process may be the version with the cure. */
  private async retryBugs(): Promise<void> {
    if (this.hasRetriedBugs) return;
    await this.laneBlocks.retryBugs();
    this.hasRetriedBugs = true;
  }

  private async reschedule(error: unknown, [operation]: readonly ClaimedPlace[]): Promise<void> {
    if (operation === undefined || error instanceof StaleCatalogError) return;
    // Also for a lost connection: an operation that makes its backend crash is finally parked too.
    await this.laneBlocks.record(toNewLaneBlock(operation, error));
    this.hasRescheduled = true;
  }
}
