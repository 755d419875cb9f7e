import { Injectable, Logger, type BeforeApplicationShutdown, type OnApplicationBootstrap } from '@nestjs/common';
import type { IStatsHistory, IStatsPoint } from '../../interfaces/stats.js';
import { DatabaseService } from '../database/database.service.js';
import { messageOf } from '../errors/message-of.js';
import { Poller, type PollTask } from '../poller/poller.js';
import {
  deleteSamples,
  insertSample,
  INTERVAL_SECONDS,
  selectSamples,
  takeSampleTurn,
  type SampleRow,
  type SampleTurn,
} from './stats-samples.sql.js';

const INTERVAL_MS = INTERVAL_SECONDS * 1000;
/** The longest history that is shown. */
export const HISTORY_MINUTES = 60;
const KEPT_MINUTES = HISTORY_MINUTES + 5;
/**
 * A sample that counts everything may take a twentieth of the time. If it takes longer, the next ones take over its
 * counts.
 */
const PAUSE_PER_COUNT = 20;
/** After a count that failed, for instance by the time limit of statements. */
const PAUSE_AFTER_FAILURE_MS = 60_000;

/**
 * Keeps the history of the queue: a sample every ten seconds, for an hour. It runs in every process, and one of them
 * takes the sample, whichever comes first. It promises that a sample reads only what happened since the sample before
 * it. Samples are in the database, so a restart loses none.
 */
@Injectable()
export class StatsSamplerService implements PollTask, OnApplicationBootstrap, BeforeApplicationShutdown {
  private readonly logger = new Logger(StatsSamplerService.name);
  private readonly poller = new Poller(this);
  private recountAt = 0;

  constructor(private readonly database: DatabaseService) {}

  onApplicationBootstrap(): void {
    this.poller.start();
  }

  async beforeApplicationShutdown(): Promise<void> {
    await this.poller.stop();
  }

  async history(minutes: number): Promise<IStatsHistory> {
    const { rows } = await this.database.requests.query<SampleRow>(selectSamples(minutes));
    return { intervalMs: INTERVAL_MS, points: rows.map(toPoint) };
  }

  /** Takes the sample that is due, if no other process does. Returns when the next one is due. */
  async poll(): Promise<number> {
    const { nextInMs } = await this.database.transaction(async (tx) => {
      const { rows } = await tx.query<SampleTurn>(takeSampleTurn());
      const turn = rows[0]!;
      if (!turn.held || !turn.due) return turn;
      const startedAt = performance.now();
      const recount = startedAt >= this.recountAt;
      if (recount) this.recountAt = startedAt + PAUSE_AFTER_FAILURE_MS;
      await tx.query(insertSample(turn.at, recount));
      await tx.query(deleteSamples(KEPT_MINUTES));
      const now = performance.now();
      if (recount) this.recountAt = now + PAUSE_PER_COUNT * (now - startedAt) - INTERVAL_MS;
      return turn;
    });
    return Math.max(0, nextInMs);
  }

  afterFailure(error: unknown): number {
    this.logger.warn(`Could not take a sample of the queue; trying again: ${messageOf(error)}`);
    return INTERVAL_MS;
  }
}

function toPoint({ at, accepted, failedByCode, chunkP50Ms, chunkP95Ms, chunkP99Ms, ...point }: SampleRow): IStatsPoint {
  return {
    at: at.toISOString(),
    ...point,
    ...(accepted !== null && { accepted }),
    ...(failedByCode !== null && { failedByCode }),
    ...(chunkP50Ms !== null && { chunkP50Ms }),
    ...(chunkP95Ms !== null && { chunkP95Ms }),
    ...(chunkP99Ms !== null && { chunkP99Ms }),
  };
}
