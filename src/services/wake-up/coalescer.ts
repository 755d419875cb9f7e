/**
 * Runs an action at most once in `everyMs`: at once if the last run is long ago, or else when the time is over. So the
 * last request is always followed by a run.
 */
export class Coalescer {
  private timer: NodeJS.Timeout | undefined;
  private lastRun = -Infinity;

  constructor(
    private readonly everyMs: number,
    private readonly action: () => void,
  ) {}

  request(): void {
    if (this.timer) return;
    const wait = this.lastRun + this.everyMs - performance.now();
    if (wait <= 0) return this.run();
    this.timer = setTimeout(() => this.run(), wait);
    this.timer.unref();
  }

  cancel(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
  }

  private run(): void {
    this.timer = undefined;
    this.lastRun = performance.now();
    this.action();
  }
}
