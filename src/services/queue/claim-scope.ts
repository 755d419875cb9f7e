import { exponentialBackOff, type BackOff } from '../../batch/retry-policy.js';

/** What a claim may take. */
export interface Scope {
  /** The most operations. */
  limit: number;
  /** Lanes to leave alone. */
  asideLanes: ReadonlySet<number>;
}

const SHRINK_FACTOR = 8;
const GROW_FACTOR = 4;
const ASIDE_BACK_OFF: BackOff = { initialMs: 1000, multiplier: 4, maxMs: 120_000, jitter: 0.2 };

/**
 * Keeps a fault that may pass (a lock that somebody holds, a time-out) from holding up everything. After each failure of a
 * chunk the next one is smaller, until a single operation fails: then it is known whose lane cannot go on, and that lane is
 * left alone for a while. Order within the lane stands still with it, all others go on. Nobody is blamed.
 */
export class ClaimScope {
  private limit: number;
  private readonly aside = new Map<number, { until: number; failures: number }>();

  constructor(private readonly maxLimit: number) {
    this.limit = maxLimit;
  }

  /** The scope for a claim at `now` (milliseconds). */
  at(now: number): Scope {
    const waiting = [...this.aside].filter(([, { until }]) => until > now).map(([lane]) => lane);
    return { limit: this.limit, asideLanes: new Set(waiting) };
  }

  /** Milliseconds until a lane may be tried again; undefined when none is left alone. */
  nextTryInMs(now: number): number | undefined {
    const times = [...this.aside.values()].map(({ until }) => until - now).filter((ms) => ms > 0);
    return times.length === 0 ? undefined : Math.min(...times);
  }

  /** A chunk with operations of these lanes was committed. */
  succeeded(lanes: readonly number[]): void {
    for (const lane of lanes) this.aside.delete(lane);
    this.limit = Math.min(this.maxLimit, this.limit * GROW_FACTOR);
  }

  /** A chunk with operations of these lanes, one for each operation, was rolled back by a fault of nobody's. */
  failed(lanes: readonly number[], now: number): void {
    const [lane] = lanes;
    // Without a claim it was the connection, or another fault that has to do with no lane.
    if (lane === undefined) return;
    if (lanes.length > 1) {
      this.limit = Math.max(1, Math.floor(Math.min(this.limit, lanes.length) / SHRINK_FACTOR));
      return;
    }
    const failures = this.aside.get(lane)?.failures ?? 0;
    this.aside.set(lane, { until: now + exponentialBackOff(ASIDE_BACK_OFF, failures), failures: failures + 1 });
    this.limit = this.maxLimit;
  }
}
