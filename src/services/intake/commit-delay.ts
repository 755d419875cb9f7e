/** Which wait is worth it. */
export interface CommitDelayLimits {
  /** Fewer callers are not waited for: they would lose more by it than a flush costs. */
  callers: number;
  /** So many items share the cost of a flush well enough, and so do so many bytes. */
  items: number;
  bytes: number;
  ms: number;
}

/** What waits for the next flush. */
export interface WaitingForFlush {
  callers: number;
  items: number;
  bytes: number;
}

/** Longer, and a slow database would be made slower by who waits. */
const FLUSHES = 2;
/** After waits in vain so many flushes are not waited for, twice as many each time. */
const FIRST_SKIPS = 2;
const MOST_SKIPS = 64;

/**
 * Decides how long a flush waits for more items. Callers who were answered together come back one by one within moments; flushed
 * as they come, they are spread over ever more flushes, each of which costs as much as many items. It promises that nobody waits
 * once all are back who are known to call, nor for longer than twice what the last flush took; and that where callers do not come
 * back, as they do not who send events or call once, few flushes wait for them. Who comes back is left to its owner to tell.
 */
export class CommitDelay {
  private expected = 0;
  private endsAt = 0;
  private present: WaitingForFlush = { callers: 0, items: 0, bytes: 0 };
  private finish: (() => void) | undefined;
  /** How many flushes are not waited for after the next wait in vain, and how many are left of those after the last. */
  private nextSkips = FIRST_SKIPS;
  private skips = 0;

  constructor(private readonly limits: CommitDelayLimits) {}

  /** To be called after a flush: so many callers were answered by it or wait for the next. */
  begin(callers: number, flushMs: number): void {
    this.expected = callers;
    this.endsAt = performance.now() + Math.min(FLUSHES * flushMs, this.limits.ms);
  }

  /** To be called at every change. */
  update(present: WaitingForFlush): void {
    this.present = present;
    if (this.isComplete()) this.finish?.();
  }

  /** Resolves when the next flush is to begin. */
  async end(): Promise<void> {
    const leftMs = this.endsAt - performance.now();
    if (leftMs <= 0 || this.isComplete()) return;
    if (this.skips > 0) {
      this.skips -= 1;
      return;
    }
    await this.gather(leftMs);
    this.learn();
  }

  private async gather(atMostMs: number): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    await new Promise<void>((resolve) => {
      this.finish = resolve;
      timer = setTimeout(resolve, atMostMs);
    });
    clearTimeout(timer);
    this.finish = undefined;
  }

  private learn(): void {
    if (this.isComplete()) {
      this.nextSkips = FIRST_SKIPS;
      return;
    }
    this.skips = this.nextSkips;
    this.nextSkips = Math.min(MOST_SKIPS, 2 * this.nextSkips);
  }

  private isComplete(): boolean {
    const { callers, items, bytes } = this.present;
    const enough = items >= this.limits.items || bytes >= this.limits.bytes;
    return enough || this.expected < this.limits.callers || callers >= this.expected;
  }
}
