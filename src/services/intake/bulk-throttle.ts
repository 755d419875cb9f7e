/** How long a bulk submission, and a small one of somebody else, are remembered. */
const REMEMBERED_MS = 1000;
/**
 * A pause is this many times as long as the flush before it. Measured beside a flood of lists (`npm run measure:fairness`): a flush of
 * 1000 items took 18 ms, so bulk intake kept about as many operations as one worker executes.
 */
const PAUSE_PER_FLUSH = 4;
/** A flush that takes longer than a quarter of this mostly waits for a slow database. A longer pause would only make it slower. */
const LONGEST_PAUSE_MS = 200;

/**
 * Decides how long orders with bulk submissions pause after each of their flushes, for the sake of the others. Bulk intake uses all
 * the processor time that it can get: here, in the database, and in the worker that executes its operations. So each step of
 * everybody else would get slower. While nobody else sends, there is no pause. It knows the callers of this process only.
 */
export class BulkThrottle {
  /** Until when each order counts as bulk, by `performance.now()`. */
  private readonly bulkUntil = new Map<unknown, number>();
  /** The latest small submission that was not of a bulk order, and until when it counts. */
  private latestSmall: { order: unknown; until: number } = { order: undefined, until: 0 };

  /** Call it for each submission. @param order undefined: an order of its own, so it is not remembered as bulk */
  note(order: unknown, bulk: boolean): void {
    const now = performance.now();
    if (!bulk) {
      // The last part of an import may be small, and is no other caller.
      if (!this.isBulk(order, now)) this.latestSmall = { order, until: now + REMEMBERED_MS };
      return;
    }
    for (const [each, until] of this.bulkUntil) if (until <= now) this.bulkUntil.delete(each);
    if (order !== undefined) this.bulkUntil.set(order, now + REMEMBERED_MS);
  }

  /** @returns how many milliseconds bulk orders have to wait after a flush that took `flushMs` */
  pauseAfter(flushMs: number): number {
    const now = performance.now();
    const { order, until } = this.latestSmall;
    // The order may have become bulk afterwards.
    if (until <= now || this.isBulk(order, now)) return 0;
    return Math.min(PAUSE_PER_FLUSH * flushMs, LONGEST_PAUSE_MS);
  }

  private isBulk(order: unknown, now: number): boolean {
    return (this.bulkUntil.get(order) ?? 0) > now;
  }
}
