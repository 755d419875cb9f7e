/** Which wait is worth it. */
export interface GatherLimits {
  /** Fewer callers are not waited for: they would lose more by it than a flush costs. */
  callers: number;
  /** So many items share the cost of a flush well enough. */
  items: number;
  ms: number;
}

/** Longer, and a slow database would be made slower by who waits. */
const FLUSHES = 2;

/**
 * Decides how long a flush waits for more items. Callers who were answered together come back one by one within moments; flushed
 * as they come, they are spread over ever more flushes, each of which costs as much as many items. It promises that nobody waits
 * once all are back who are known to call, nor for longer than twice what the last flush took. Who comes back is left to
 * its owner to tell.
 */
export class Gathering {
  private expected = 0;
  private endsAt = 0;
  private present = { callers: 0, items: 0 };
  private finish: (() => void) | undefined;

  constructor(private readonly limits: GatherLimits) {}

  /** To be called after a flush: so many callers were answered by it or wait for the next. */
  begin(callers: number, flushMs: number): void {
    this.expected = callers;
    this.endsAt = performance.now() + Math.min(FLUSHES * flushMs, this.limits.ms);
  }

  /** To be called at every change: so many wait. */
  update(callers: number, items: number): void {
    this.present = { callers, items };
    if (this.isComplete()) this.finish?.();
  }

  /** Resolves when the next flush is to begin. */
  async end(): Promise<void> {
    const leftMs = this.endsAt - performance.now();
    if (leftMs <= 0 || this.isComplete()) return;
    let timer: NodeJS.Timeout | undefined;
    await new Promise<void>((resolve) => {
      this.finish = resolve;
      timer = setTimeout(resolve, leftMs);
    });
    clearTimeout(timer);
    this.finish = undefined;
  }

  private isComplete(): boolean {
    const { callers, items } = this.present;
    return this.expected < this.limits.callers || callers >= this.expected || items >= this.limits.items;
  }
}
