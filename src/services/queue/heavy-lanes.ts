import { Inject, Injectable } from '@nestjs/common';
import { SETTINGS, type Settings } from '../config/settings.js';
import { LANES } from './assign-lanes.js';

/** A lane with this number of operations in a chunk delays the callers of other lanes. */
const MANY_OPERATIONS = 100;
/** A chunk that takes so long is slow, even if it has few operations. */
const SLOW_CHUNK_MS = 100;
/** A lane stays heavy for this time. A busy caller makes it heavy again and again. */
export const HEAVY_FOR_MS = 1000;
/** Chunks of both parts have a connection each. In a smaller pool too few would be left for everything else. */
const LEAST_POOL_SIZE = 6;

/**
 * Knows which lanes make the chunks of this process slow, because many operations wait in them or because theirs take
 * long. The main job executes these lanes apart from the others, so that a caller with little work does not wait for
 * one with much. It is only about speed: a lane may be in either part at any time.
 */
@Injectable()
export class HeavyLanes {
  /** False when the pool of connections is too small to execute both parts at the same time. */
  readonly mayBeApart: boolean;
  /** Until when each lane counts as heavy, by `performance.now()`. */
  private readonly until = new Map<number, number>();
  /** Those that had their share of their last chunk, and that chunk was slow. */
  private readonly slow = new Set<number>();

  constructor(@Inject(SETTINGS) { database }: Pick<Settings, 'database'>) {
    this.mayBeApart = database.poolSize >= LEAST_POOL_SIZE;
  }

  get any(): boolean {
    return this.all.length > 0;
  }

  get all(): number[] {
    const now = performance.now();
    return [...this.until].filter(([, until]) => until > now).map(([lane]) => lane);
  }

  get others(): number[] {
    const heavy = new Set(this.all);
    return Array.from({ length: LANES }, (_, lane) => lane).filter((lane) => !heavy.has(lane));
  }

  /**
   * Call this after each chunk, with the lane of each of its operations. Lanes with many operations are heavy. Lanes are
   * heavy, too, that had their share of the operations or more in two slow chunks in a row. One slow chunk says little: a
   * busy disk makes every chunk slow, and a caller with little work would then wait among those with much.
   */
  record(lanes: readonly number[], durationMs: number): void {
    if (!this.mayBeApart) return;
    const counts = new Map<number, number>();
    for (const lane of lanes) counts.set(lane, (counts.get(lane) ?? 0) + 1);
    const share = lanes.length / counts.size;
    const until = performance.now() + HEAVY_FOR_MS;
    for (const [lane, count] of counts) {
      const isSlow = durationMs >= SLOW_CHUNK_MS && count >= share;
      if (count >= MANY_OPERATIONS || (isSlow && this.slow.has(lane))) this.until.set(lane, until);
      if (isSlow) this.slow.add(lane);
      else this.slow.delete(lane);
    }
  }
}
