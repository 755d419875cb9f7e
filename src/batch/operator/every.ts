import { Logger } from '@nestjs/common';

/** Calls `work` again and again, one call at a time. Keeps no process alive. A failure is left to the next call. */
export function every(ms: number, work: () => Promise<void>): NodeJS.Timeout {
  const logger = new Logger('BatchEngine');
  let busy = false;
  const timer = setInterval(() => {
    if (busy) return;
    busy = true;
    work()
      .catch((error: unknown) => logger.warn(`Trying again: ${(error as Error).message}`))
      .finally(() => (busy = false));
  }, ms);
  timer.unref();
  return timer;
}
