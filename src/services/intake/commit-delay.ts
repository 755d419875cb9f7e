/** Limits within which a wait is worth its time. */
export interface CommitDelayLimits {
  /** A flush does not wait for fewer callers: they would lose more time than the flush costs. */
  callers: number;
  /** A flush with this number of items or bytes does not wait: each item bears little of its cost. */
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

/** A flush waits this many times as long as the last one took. A longer wait would make a slow database slower. */
const FLUSHES = 2;
/** After a wait in vain, this number of flushes do not wait. It doubles with each further wait in vain. */
const FIRST_SKIPS = 2;
const MOST_SKIPS = 64;

/**
 * Decides how long a flush waits for more items. Callers who were answered together come back one by one. Without a
 * wait they would spread over more and more flushes, and each flush costs as much as many items. A flush waits until
 * all expected callers are back, and at most twice as long as the last flush took. If callers do not come back, because
 * they send events or call once, few flushes wait. The owner says how many callers to expect.
 */
export class CommitDelay {
  private expected = 0;
  private endsAt = 0;
  private present: WaitingForFlush = { callers: 0, items: 0, bytes: 0 };
  private finish: (() => void) | undefined;
  /** How many flushes do not wait after the next wait in vain, and how many of them are left after the last one. */
  private nextSkips = FIRST_SKIPS;
  private skips = 0;

  constructor(private readonly limits: CommitDelayLimits) {}

  /** Call it after a flush. @param callers the callers that it answered, and those that wait for the next one */
  begin(callers: number, flushMs: number): void {
    this.expected = callers;
    this.endsAt = performance.now() + Math.min(FLUSHES * flushMs, this.limits.ms);
  }

  /** Call it at every change. */
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
