import { Logger } from '@nestjs/common';
import type { JobRepository } from '../repository/job-repository.js';
import { every } from './every.js';

const INTERVAL_MS = 60_000;
const HOUR_MS = 3_600_000;

/**
 * Deletes executions that ended longer ago than they are to be kept: `open` begins to look for them, `close` ends it. What a restart
 * builds on stays: see `JobRepository.deleteEndedBefore`. Several processes may do it at the same time.
 */
export class ExecutionRetention {
  private readonly logger = new Logger('BatchRetention');
  private timer: NodeJS.Timeout | undefined;
  private closing = new AbortController();
  private running: Promise<void> | undefined;

  /** @param hours how long executions are kept; undefined or 0: for ever */
  constructor(
    private readonly repository: JobRepository<never>,
    private readonly hours: number | undefined,
  ) {}

  open(): void {
    if (this.hours === undefined || this.hours <= 0) return;
    this.closing = new AbortController();
    this.timer ??= every(INTERVAL_MS, () => (this.running = this.deleteOld(new Date())));
  }

  async close(): Promise<void> {
    clearInterval(this.timer);
    this.timer = undefined;
    this.closing.abort();
    // `every` has reported its failure.
    await this.running?.catch(() => undefined);
  }

  private async deleteOld(now: Date): Promise<void> {
    const before = new Date(now.getTime() - this.hours! * HOUR_MS);
    const executions = await this.repository.deleteEndedBefore(before, this.closing.signal);
    if (executions > 0) this.logger.log({ message: 'Deleted executions of jobs that ended long ago', executions });
  }
}
