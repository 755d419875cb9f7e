/** How long an order counts as bulk after a large flush, and the others as present after a submission. */
const REMEMBERED_MS = 1000;
/**
 * A pause is this many times as long as the flush before it. A flush of 1000 items takes about 20 ms, so bulk intake keeps about
 * 10 000 items a second. That is about what one worker executes.
 */
const PAUSE_PER_FLUSH = 4;
/** If a flush takes longer than a quarter of this, it mostly waits for the database and leaves the processors to others by itself. */
const LONGEST_PAUSE_MS = 200;

/**
 * Decides how long those who send much pause after each of their flushes, for the sake of those who send little. Bulk intake uses
 * all the processor time that it can get: here, in the database, and in the worker that executes its operations. Everybody else
 * would get slower at each step. While nobody else sends, there is no pause.
 */
export class BulkThrottle {
  /** Until when each order counts as bulk, by `performance.now()`. */
  private readonly bulkUntil = new Map<unknown, number>();
  /** The latest small submission that was not of a bulk order, and until when it counts. */
  private latestSmall: { order: unknown; until: number } = { order: undefined, until: 0 };

  /** Call it for each submission that is small. @param order undefined: an order of its own */
  noteSmall(order: unknown): void {
    const now = performance.now();
    // The rest of an import may be small, and is no other caller.
    if (!this.isBulk(order, now)) this.latestSmall = { order, until: now + REMEMBERED_MS };
  }

  /** Call it for each large flush. @param orders those that have a part in it; one that is an order of its own never sends again */
  noteBulk(orders: ReadonlySet<unknown>): void {
    const now = performance.now();
    for (const [order, until] of this.bulkUntil) if (until <= now) this.bulkUntil.delete(order);
    for (const order of orders) if (order !== undefined) this.bulkUntil.set(order, now + REMEMBERED_MS);
  }

  /** @returns how many milliseconds the next large flush has to wait after one that took `flushMs` */
  pauseAfter(flushMs: number): number {
    const now = performance.now();
    const { order, until } = this.latestSmall;
    // It may have been the beginning of what is bulk now: a thousand single operations without waiting.
    if (until <= now || this.isBulk(order, now)) return 0;
    return Math.min(PAUSE_PER_FLUSH * flushMs, LONGEST_PAUSE_MS);
  }

  private isBulk(order: unknown, now: number): boolean {
    return (this.bulkUntil.get(order) ?? 0) > now;
  }
}
