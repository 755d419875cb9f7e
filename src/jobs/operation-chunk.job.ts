import { Inject, Injectable, Logger } from '@nestjs/common';
import { limitedRetry } from '../batch/chunk/retry-policy.js';
import { backOffMs, type BackOff } from '../interfaces/back-off.js';
import { SETTINGS, type Settings } from '../services/config/settings.js';
import { classifyFailure, isConnectionFault } from '../services/database/classify-failure.js';
import { BugsService } from '../services/health/bugs.service.js';
import type { PollTask } from '../services/poller/poller.js';
import { AdaptiveScope } from '../services/queue/claim-scope.js';
import { toNewLaneBlock } from '../services/queue/lane-block.js';
import { LaneBlocksService } from '../services/queue/lane-blocks.service.js';
import { LaneRegisterService } from '../services/queue/lane-register.service.js';
import { LanesService } from '../services/queue/lanes.service.js';
import type { ClaimedPlace } from '../services/queue/operation-record.js';
import { QueueService } from '../services/queue/queue.service.js';
import { StaleCatalogError } from './met-stale-table.js';
import { OperationStepFactory, type ExecuteChunk } from './operation-step.factory.js';

const RETRY_LIMIT = 5;
const RETRY_BACK_OFF: BackOff = { initialMs: 20, maxMs: 1000, jitter: 0.5 };
const FAILURE_BACK_OFF: BackOff = { initialMs: 100, maxMs: 10_000, jitter: 0.5 };
/** Short, because the worker should notice soon that the server is back, and a check costs almost nothing. */
const CONNECTION_BACK_OFF: BackOff = { initialMs: 100, maxMs: 1000, jitter: 0.5 };
/** Used while other workers hold all lanes in which operations wait. A lane may become free at any moment. */
const ALL_LANES_BUSY_BACK_OFF: BackOff = { initialMs: 10, maxMs: 500, jitter: 0.5 };
/** While the queue is busy, due operations are released at this interval. */
const RELEASE_INTERVAL_MS = 250;
/** After this number of connection faults in a row, each during a chunk, an operation may be the cause. */
const MANY_LOSSES = 3;

/** The main job: each call executes one chunk of operations from the queue on the target tables. */
@Injectable()
export class OperationChunkJob implements PollTask {
  private readonly logger = new Logger(OperationChunkJob.name);
  private readonly scope: AdaptiveScope;
  private readonly executeChunk: ExecuteChunk;
  private nextReleaseAt = 0;
  private busyRounds = 0;
  private losses = 0;
  /** Since when every poll has met a bug, by `performance.now()`. */
  private failsByBugsSince: number | undefined;

  constructor(
    @Inject(SETTINGS) private readonly settings: Settings,
    steps: OperationStepFactory,
    private readonly queue: QueueService,
    private readonly lanes: LanesService,
    private readonly register: LaneRegisterService,
    private readonly faults: LaneBlocksService,
    private readonly bugs: BugsService,
  ) {
    this.scope = new AdaptiveScope(steps.chunkLimit);
    this.executeChunk = steps.create({
      scope: () => this.scope.current,
      retryPolicy: limitedRetry(RETRY_LIMIT, mayPass, RETRY_BACK_OFF),
      listener: { onChunkError: (error, read) => this.narrowDown(error, read?.claim.operations ?? []) },
    });
  }

  /**
   * Executes one chunk. Returns the milliseconds until the next call: 0 while more operations wait, or else the time
   * until the next one is due.
   */
  async poll(signal: AbortSignal): Promise<number> {
    await this.lanes.beat();
    await this.releaseDue();
    const claim = await this.executeChunk(signal);
    this.losses = 0;
    this.failsByBugsSince = undefined;
    if (claim.operations.length > 0) this.scope.succeeded(claim.operations.length, claim.left);
    this.busyRounds = claim.allLanesBusy ? this.busyRounds + 1 : 0;
    if (claim.full) return 0;
    return claim.allLanesBusy ? backOffMs(ALL_LANES_BUSY_BACK_OFF, this.busyRounds - 1) : this.idleDelay();
  }

  /** For how many milliseconds every poll has met a bug of the service. 0 while polls succeed or meet other faults. */
  get failsByBugsForMs(): number {
    return this.failsByBugsSince === undefined ? 0 : performance.now() - this.failsByBugsSince;
  }

  afterFailure(error: unknown, failures: number): number {
    const isBug = this.bugs.report('chunk', error);
    this.failsByBugsSince = isBug ? (this.failsByBugsSince ?? performance.now()) : undefined;
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
      await this.faults.record(toNewLaneBlock(first, error));
    }
  }

  /** Otherwise an operation that makes its backend crash, or that needs too many resources, would be tried forever. */
  private isSuspicious(claimed: readonly ClaimedPlace[]): boolean {
    if (claimed.length > 0) this.losses += 1;
    return claimed.length > 0 && this.losses >= MANY_LOSSES;
  }

  private async releaseDue(): Promise<void> {
    if (Date.now() < this.nextReleaseAt) return;
    await this.queue.releaseDue();
    this.nextReleaseAt = Date.now() + RELEASE_INTERVAL_MS;
  }

  private async idleDelay(): Promise<number> {
    const dueInMs = await this.queue.nextDueInMs();
    this.nextReleaseAt = 0;
    return Math.min(this.settings.poller.intervalMs, dueInMs ?? Infinity, this.register.deferredMoveInMs ?? Infinity);
  }
}

/** False for a wrong statement of the service and for a bug, because a retry does not help there. */
function mayPass(error: unknown): boolean {
  const kind = classifyFailure(error);
  return kind === 'transient' || kind === 'unknown';
}
