import { Inject, Injectable } from '@nestjs/common';
import { SETTINGS, type Settings } from '../services/config/settings.js';
import type { PollTask } from '../services/poller/poller.js';
import { HeavyLanes } from '../services/queue/heavy-lanes.js';
import { LaneBlocksService } from '../services/queue/lane-blocks.service.js';
import { LaneChunks } from './lane-chunks.js';
import { OperationChunkJob } from './operation-chunk.job.js';
import { OperationStepFactory } from './operation-step.factory.js';

/** The other lanes do not wait longer for a chunk of the main job. */
const MAIN_JOB_PATIENCE_MS = 50;
/** Shorter than that of the main job: beside a flood everything else takes longer, and light lanes have small chunks anyway. */
const LONGEST_WAKE_UP_DELAY_MS = 2;

/**
 * Executes the other lanes while the main job is busy: with heavy lanes, or with a chunk that takes long, for instance
 * because it waits for a lock. So a caller with little work waits neither for the backlog of another, nor for the tables
 * of another. While the main job is not busy, this one does nothing.
 */
@Injectable()
export class LightLanesJob implements PollTask {
  private readonly chunks: LaneChunks;

  constructor(
    @Inject(SETTINGS) private readonly settings: Settings,
    steps: OperationStepFactory,
    laneBlocks: LaneBlocksService,
    private readonly heavyLanes: HeavyLanes,
    private readonly main: OperationChunkJob,
  ) {
    this.chunks = new LaneChunks(steps, laneBlocks, heavyLanes, () => heavyLanes.all);
  }

  /** It looks again soon, because the main job may become busy at any moment. While it is not, that costs no query. */
  async poll(signal: AbortSignal): Promise<number> {
    if (!this.isNeeded()) return MAIN_JOB_PATIENCE_MS;
    await this.main.releaseDue();
    const claim = await this.chunks.execute(signal);
    return this.chunks.delayAfter(claim) ?? MAIN_JOB_PATIENCE_MS;
  }

  /** How soon after a new operation the next poll is useful. */
  get wakeUpDelayMs(): number {
    return this.heavyLanes.any
      ? Math.min(LONGEST_WAKE_UP_DELAY_MS, this.settings.poller.wakeUpDelayMs)
      : MAIN_JOB_PATIENCE_MS;
  }

  afterFailure(error: unknown, failures: number): number {
    return this.chunks.delayAfterFailure(error, failures);
  }

  private isNeeded(): boolean {
    return this.heavyLanes.any || (this.heavyLanes.mayBeApart && this.main.executingForMs >= MAIN_JOB_PATIENCE_MS);
  }
}
