/** Counts requests in progress, so that a server can stop when all of them are answered. */
export class InFlight {
  private count = 0;
  private readonly waiting = new Set<() => void>();

  get size(): number {
    return this.count;
  }

  async track<T>(work: () => Promise<T>): Promise<T> {
    this.count += 1;
    try {
      return await work();
    } finally {
      this.count -= 1;
      if (this.count === 0) this.release();
    }
  }

  /** Resolves when nothing is in progress, or after `timeoutMs`. Returns false when something is left then. */
  async drained(timeoutMs: number): Promise<boolean> {
    if (this.count === 0) return true;
    return new Promise((resolve) => {
      const timer = setTimeout(() => {
        this.waiting.delete(done);
        resolve(false);
      }, timeoutMs);
      const done = (): void => {
        clearTimeout(timer);
        resolve(true);
      };
      this.waiting.add(done);
    });
  }

  private release(): void {
    for (const done of this.waiting) done();
    this.waiting.clear();
  }
}
