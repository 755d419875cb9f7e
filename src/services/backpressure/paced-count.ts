import { withTimeout } from '../observability/with-timeout.js';

/** Workers empty a small queue quickly. With rarer counts they would then be idle. */
const SHORTEST_INTERVAL_MS = 100;
/** Counts use at most a twentieth of the time of one connection, however long the queue is. */
const INTERVAL_PER_COUNT = 20;

/**
 * A count that runs only when somebody asks for it, and not too often. It promises that a caller who needs a new count
 * never gets an old one.
 */
export class PacedCount<Value> {
  private latest: Value | undefined;
  private counting: Promise<void> | undefined;
  /** True when a caller waits for the count in progress. */
  private awaited = false;
  private nextAt = 0;

  /** @param timeoutMs a count that takes longer fails, and the next one begins after the same time */
  constructor(
    private readonly read: () => Promise<Value>,
    private readonly timeoutMs: number,
    private readonly onFailure: (error: unknown) => void,
  ) {}

  /** Undefined: it is not known. */
  get value(): Value | undefined {
    return this.latest;
  }

  forget(): void {
    this.latest = undefined;
  }

  /**
   * Waits for the count in progress or due, if `needed` returns true for the last value, or if an earlier caller waits
   * for it.
   */
  async refresh(needed: () => boolean): Promise<void> {
    if (performance.now() >= this.nextAt) this.counting ??= this.count();
    if (this.counting === undefined || !(this.awaited || needed())) return;
    this.awaited = true;
    await this.counting;
  }

  /** Never rejects. If the database does not answer, the value is unknown. */
  private async count(): Promise<void> {
    const startedAt = performance.now();
    try {
      this.latest = await withTimeout(this.read(), this.timeoutMs);
    } catch (error) {
      this.latest = undefined;
      this.onFailure(error);
    } finally {
      const now = performance.now();
      const pause = this.latest === undefined ? this.timeoutMs : SHORTEST_INTERVAL_MS;
      this.nextAt = now + Math.max(pause, INTERVAL_PER_COUNT * (now - startedAt));
      this.counting = undefined;
      this.awaited = false;
    }
  }
}
