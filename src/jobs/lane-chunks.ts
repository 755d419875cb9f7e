import { limitedRetry } from '../batch/chunk/retry-policy.js';
import { Logger } from '@nestjs/common';
import { backOffMs, type BackOff } from '../interfaces/back-off.js';
import { classifyFailure, isConnectionFault } from '../services/database/classify-failure.js';
import { AdaptiveScope } from '../services/queue/claim-scope.js';
import type { Claim } from '../services/queue/claim.service.js';
import type { HeavyLanes } from '../services/queue/heavy-lanes.js';
import { toNewLaneBlock } from '../services/queue/lane-block.js';
import type { LaneBlocksService } from '../services/queue/lane-blocks.service.js';
import type { ClaimedPlace } from '../services/queue/operation-record.js';
import { StaleCatalogError } from './met-stale-table.js';
import type { ExecuteChunk, OperationStepFactory } from './operation-step.factory.js';

const RETRY_LIMIT = 5;
const RETRY_BACK_OFF: BackOff = { initialMs: 20, maxMs: 1000, jitter: 0.5 };
const FAILURE_BACK_OFF: BackOff = { initialMs: 100, maxMs: 10_000, jitter: 0.5 };
/** Short, because the worker should notice soon that the server is back, and a check costs almost nothing. */
const CONNECTION_BACK_OFF: BackOff = { initialMs: 100, maxMs: 1000, jitter: 0.5 };
/** Used while others hold all lanes in which operations wait. A lane may become free at any moment. */
const ALL_LANES_BUSY_BACK_OFF: BackOff = { initialMs: 10, maxMs: 500, jitter: 0.5 };
/** After this number of connection faults in a row, each during a chunk, an operation may be the cause. */
const MANY_LOSSES = 3;

/**
 * Executes one chunk after the other in healthy lanes. After a fault the next chunk is smaller, until the lane that
 * cannot go on is known and blocked. `AdaptiveScope` says why.
 */
export class LaneChunks {
  private readonly logger = new Logger('OperationChunk');
  private readonly scope: AdaptiveScope;
  private readonly executeChunk: ExecuteChunk;
  private busyRounds = 0;
  private losses = 0;

  /** @param without lanes that the next chunk leaves out */
  constructor(
    steps: OperationStepFactory,
    private readonly laneBlocks: LaneBlocksService,
    private readonly heavyLanes: HeavyLanes,
    without: () => readonly number[],
  ) {
    this.scope = new AdaptiveScope(steps.chunkLimit);
    this.executeChunk = steps.create({
      scope: () => ({ ...this.scope.current, without: without() }),
      retryPolicy: limitedRetry(RETRY_LIMIT, mayPass, RETRY_BACK_OFF),
      listener: { onChunkError: (error, read) => this.narrowDown(error, read?.claim.operations ?? []) },
    });
  }

  async execute(signal: AbortSignal): Promise<Claim> {
    const startedAt = performance.now();
    const claim = await this.executeChunk(signal);
    this.losses = 0;
    const { operations, left } = claim;
    if (operations.length > 0) {
      this.scope.succeeded(operations.length, left);
      const lanes = operations.map(({ lane }) => lane);
      this.heavyLanes.record(lanes, performance.now() - startedAt);
    }
    return claim;
  }

  /** After how many milliseconds to execute the next chunk. Undefined when nothing more waits. */
  delayAfter({ full, allLanesBusy }: Claim): number | undefined {
    this.busyRounds = allLanesBusy ? this.busyRounds + 1 : 0;
    if (full) return 0;
    return allLanesBusy ? backOffMs(ALL_LANES_BUSY_BACK_OFF, this.busyRounds - 1) : undefined;
  }

  /** After how many milliseconds to execute a chunk again after a failure, of `failures` in a row. */
  delayAfterFailure(error: unknown, failures: number): number {
    const backOff = isConnectionFault(error) ? CONNECTION_BACK_OFF : FAILURE_BACK_OFF;
    const delayMs = backOffMs(backOff, failures - 1);
    this.logger.error({ message: 'Chunk failed; its operations stay pending', failures, delayMs, err: error });
    return delayMs;
  }

  /** The next chunk is smaller. When a single operation fails, it is known that its lane cannot go on. */
  private async narrowDown(error: unknown, claimed: readonly ClaimedPlace[]): Promise<void> {
    // A wrong remembered catalog is no reason to claim fewer operations.
    if (error instanceof StaleCatalogError) return;
    if (isConnectionFault(error) && !this.isSuspicious(claimed)) return;
    const [first] = claimed;
    if (this.scope.failed(claimed.length) && first !== undefined) {
      await this.laneBlocks.record(toNewLaneBlock(first, error));
    }
  }

  /** Otherwise an operation that makes its backend crash, or that needs too many resources, would be tried forever. */
  private isSuspicious(claimed: readonly ClaimedPlace[]): boolean {
    if (claimed.length > 0) this.losses += 1;
    return claimed.length > 0 && this.losses >= MANY_LOSSES;
  }
}

/** False for a wrong statement of the service and for a bug, because a retry does not help there. */
function mayPass(error: unknown): boolean {
  const kind = classifyFailure(error);
  return kind === 'transient' || kind === 'unknown';
}
