import { AsyncResource } from 'node:async_hooks';

/** Work that is done again and again. */
export interface PollTask {
  /** Does the pending work. Returns after how many milliseconds to call it again. */
  poll(signal: AbortSignal): Promise<number>;
  /** Called when `poll` threw, with the number of failures in a row. Returns the delay. */
  afterFailure(error: unknown, failures: number): number;
}

/**
 * Calls a task again and again, each time after the delay that it returned, or sooner when woken. It promises one call
 * at a time, and that `stop` resolves when the running call has ended. It knows nothing about the work.
 */
export class Poller {
  private timer: NodeJS.Timeout | undefined;
  private immediate: NodeJS.Immediate | undefined;
  private pollingSince: number | undefined;
  private running: Promise<void> = Promise.resolve();
  private abort = new AbortController();
  private stopped = true;
  private failures = 0;
  private wokenDelay: number | undefined;
  private dueAt = Infinity;
  /** A poll belongs to no request, so its log lines must not have the id of the request that woke it. */
  private readonly scope = new AsyncResource('Poller');

  /** When the last call ended without an error, in milliseconds since the epoch. Undefined before the first. */
  lastSuccessAt: number | undefined;

  constructor(private readonly task: PollTask) {}

  /** How long the running call has taken so far, in milliseconds. Undefined while none runs. */
  get pollingForMs(): number | undefined {
    return this.pollingSince === undefined ? undefined : performance.now() - this.pollingSince;
  }

  /** For how many milliseconds the next call has been overdue. 0 while it is not due, or will not come. */
  get overdueMs(): number {
    return this.stopped || this.pollingSince !== undefined ? 0 : Math.max(0, -this.dueInMs());
  }

  start(delayMs = 0): void {
    if (!this.stopped) return;
    this.stopped = false;
    this.abort = new AbortController();
    this.schedule(delayMs);
  }

  /** The next call begins in at most `delayMs`. After a failure the task's own delay stays. */
  wake(delayMs: number): void {
    if (this.stopped || this.failures > 0) return;
    if (this.pollingSince !== undefined) this.wokenDelay = Math.min(this.wokenDelay ?? Infinity, delayMs);
    else if (this.dueInMs() > delayMs) this.schedule(delayMs);
  }

  /** Begins no further call. Resolves when the running one has ended. */
  async stop(): Promise<void> {
    this.stopped = true;
    this.unschedule();
    this.abort.abort();
    await this.running;
  }

  private dueInMs(): number {
    return this.dueAt - performance.now();
  }

  private schedule(delayMs: number): void {
    this.unschedule();
    this.dueAt = performance.now() + delayMs;
    const run = (): void => {
      this.running = this.scope.runInAsyncScope(() => this.run());
    };
    // The shortest time-out is a millisecond, which is a tenth of a chunk's time.
    if (delayMs === 0) this.immediate = setImmediate(run);
    else this.timer = setTimeout(run, delayMs);
  }

  private unschedule(): void {
    clearTimeout(this.timer);
    clearImmediate(this.immediate);
  }

  private async run(): Promise<void> {
    this.pollingSince = performance.now();
    const delayMs = await this.callTask();
    this.pollingSince = undefined;
    if (this.stopped) return;
    this.schedule(this.failures > 0 ? delayMs : Math.min(delayMs, this.wokenDelay ?? Infinity));
    this.wokenDelay = undefined;
  }

  private async callTask(): Promise<number> {
    try {
      const delayMs = await this.task.poll(this.abort.signal);
      this.failures = 0;
      this.lastSuccessAt = Date.now();
      return delayMs;
    } catch (error) {
      this.failures += 1;
      return this.task.afterFailure(error, this.failures);
    }
  }
}

/** Why a poller no longer works, as far as the process itself can see. Undefined while it works. */
export function stuckReason({ pollingForMs, overdueMs }: Poller, timeoutMs: number): string | undefined {
  if (pollingForMs !== undefined && pollingForMs > timeoutMs) {
    return `a poll has been running for ${seconds(pollingForMs)}, longer than BATCH_STUCK_TIMEOUT allows`;
  }
  if (overdueMs > timeoutMs) return `the next poll should have begun ${seconds(overdueMs)} ago`;
  return undefined;
}

const seconds = (ms: number): string => `${Math.round(ms / 1000)} s`;
