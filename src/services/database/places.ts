/** No place became free in time. The work that needed it was not begun. */
export class NoPlaceError extends Error {
  constructor(places: number, waitedMs: number) {
    super(`none of ${places} places was free within ${waitedMs} ms`);
    this.name = 'NoPlaceError';
  }
}

/**
 * Limits how much happens at a time. A caller that finds no free place waits for one, in order of arrival, for a
 * limited time.
 */
export class Places {
  private taken = 0;
  /** Each function takes the place that it is given. */
  private readonly waiting = new Set<() => void>();

  constructor(
    private readonly count: number,
    private readonly waitMs: number,
  ) {}

  /** @throws NoPlaceError, and everything that `work` throws */
  async within<T>(work: () => Promise<T>): Promise<T> {
    await this.take();
    try {
      return await work();
    } finally {
      this.giveBack();
    }
  }

  private take(): Promise<void> {
    if (this.taken < this.count) {
      this.taken += 1;
      return Promise.resolve();
    }
    return new Promise((resolve, reject) => {
      const proceed = (): void => {
        clearTimeout(timer);
        resolve();
      };
      const timer = setTimeout(() => {
        this.waiting.delete(proceed);
        reject(new NoPlaceError(this.count, this.waitMs));
      }, this.waitMs);
      this.waiting.add(proceed);
    });
  }

  private giveBack(): void {
    const [next] = this.waiting;
    if (next === undefined) {
      this.taken -= 1;
      return;
    }
    // The place goes directly to the next waiter, so a caller that comes now cannot take it.
    this.waiting.delete(next);
    next();
  }
}
