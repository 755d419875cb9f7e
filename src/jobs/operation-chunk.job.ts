import { Inject, Injectable } from '@nestjs/common';
import { SETTINGS, type Settings } from '../services/config/settings.js';
import { BugsService } from '../services/health/bugs.service.js';
import type { PollTask } from '../services/poller/poller.js';
import type { Claim } from '../services/queue/claim.service.js';
import { HEAVY_FOR_MS, HeavyLanes } from '../services/queue/heavy-lanes.js';
import { LaneBlocksService } from '../services/queue/lane-blocks.service.js';
import { LaneRegisterService } from '../services/queue/lane-register.service.js';
import { LanesService } from '../services/queue/lanes.service.js';
import { QueueService } from '../services/queue/queue.service.js';
import { LaneChunks } from './lane-chunks.js';
import { OperationStepFactory } from './operation-step.factory.js';

/** While the queue is busy, due operations are released at this interval. */
const RELEASE_INTERVAL_MS = 250;

/**
 * The main job: each call executes one chunk of operations from the queue on the target tables. While there are heavy
 * lanes, it executes these, and `LightLanesJob` the others.
 */
@Injectable()
export class OperationChunkJob implements PollTask {
  private readonly chunks: LaneChunks;
  private nextReleaseAt = 0;
  /** By `performance.now()`. Undefined while no chunk is executed. */
  private executingSince: number | undefined;
  /** Since when every poll has met a bug, by `performance.now()`. */
  private failsByBugsSince: number | undefined;

  constructor(
    @Inject(SETTINGS) private readonly settings: Settings,
    steps: OperationStepFactory,
    private readonly queue: QueueService,
    private readonly lanes: LanesService,
    private readonly register: LaneRegisterService,
    laneBlocks: LaneBlocksService,
    private readonly heavyLanes: HeavyLanes,
    private readonly bugs: BugsService,
  ) {
    this.chunks = new LaneChunks(steps, laneBlocks, heavyLanes, () => (heavyLanes.any ? heavyLanes.others : []));
  }

  /**
   * Executes one chunk. Returns the milliseconds until the next call: 0 while more operations wait, or else the time
   * until the next one is due.
   */
  async poll(signal: AbortSignal): Promise<number> {
    await this.lanes.beat();
    await this.releaseDue();
    const leftLanes = this.heavyLanes.any;
    const claim = await this.execute(signal);
    this.failsByBugsSince = undefined;
    return this.chunks.delayAfter(claim) ?? this.idleDelay(leftLanes);
  }

  /** How long the running chunk has taken so far, in milliseconds. 0 while none runs. */
  get executingForMs(): number {
    return this.executingSince === undefined ? 0 : performance.now() - this.executingSince;
  }

  /** For how many milliseconds every poll has met a bug of the service. 0 while polls succeed or meet other faults. */
  get failsByBugsForMs(): number {
    return this.failsByBugsSince === undefined ? 0 : performance.now() - this.failsByBugsSince;
  }

  afterFailure(error: unknown, failures: number): number {
    const isBug = this.bugs.report('chunk', error);
    this.failsByBugsSince = isBug ? (this.failsByBugsSince ?? performance.now()) : undefined;
    return this.chunks.delayAfterFailure(error, failures);
  }

  /** Makes operations pending whose time has come. Call it often: it asks the database only four times a second. */
  async releaseDue(): Promise<void> {
    if (Date.now() < this.nextReleaseAt) return;
    await this.queue.releaseDue();
    this.nextReleaseAt = Date.now() + RELEASE_INTERVAL_MS;
  }

  private async execute(signal: AbortSignal): Promise<Claim> {
    this.executingSince = performance.now();
    try {
      return await this.chunks.execute(signal);
    } finally {
      this.executingSince = undefined;
    }
  }

  /** @param leftLanes true when operations may wait in lanes that were left to the other job */
  private async idleDelay(leftLanes: boolean): Promise<number> {
    const dueInMs = await this.queue.nextDueInMs();
    this.nextReleaseAt = 0;
    return Math.min(
      this.settings.poller.intervalMs,
      dueInMs ?? Infinity,
      this.register.deferredMoveInMs ?? Infinity,
      leftLanes ? HEAVY_FOR_MS : Infinity,
    );
  }
}
