import type { LoggerService } from '@nestjs/common';

/** In each window. This is enough to see what happens. */
const MOST_LINES = 10;
const WINDOW_MS = 10_000;

/**
 * Log lines that unknown callers cause. It promises that they cannot fill the log: a limited number is written in each
 * window, and the first line of the next window says how many were left out.
 */
export class SparseLog {
  private windowEndsAt = -Infinity;
  private written = 0;
  private leftOut = 0;

  constructor(
    private readonly logger: Pick<LoggerService, 'log'>,
    /** Milliseconds of a clock that never goes back. */
    private readonly now: () => number = () => performance.now(),
  ) {}

  log(line: { message: string } & Readonly<Record<string, unknown>>): void {
    const now = this.now();
    if (now >= this.windowEndsAt) {
      this.windowEndsAt = now + WINDOW_MS;
      this.written = 0;
    }
    if (this.written === MOST_LINES) {
      this.leftOut += 1;
      return;
    }
    this.written += 1;
    this.logger.log(this.leftOut === 0 ? line : { ...line, leftOut: this.leftOut });
    this.leftOut = 0;
  }
}
