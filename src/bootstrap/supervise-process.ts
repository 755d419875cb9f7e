import type { Logger } from 'pino';
import { TimedOutError, withTimeout } from '../services/observability/with-timeout.js';
import { flushSpans } from '../services/tracing/tracing.js';
import { StartError } from './start-error.js';
import type { RunningService, StartingService } from './start-service.js';

type StopSignal = 'SIGINT' | 'SIGTERM';

/** The exit status that a shell uses for a process that a signal ended. */
const EXIT_CODE: Readonly<Record<StopSignal, number>> = { SIGINT: 130, SIGTERM: 143 };
/** Under `npm start` one Ctrl-C arrives twice, from the terminal and from npm. */
const SAME_KEYSTROKE_MS = 500;
const LAST_WORK_MS = 5000;
/** A collector that is away must not keep a process from ending. */
const LAST_SPANS_MS = 2000;

/**
 * Ends the process in an orderly way. The first SIGTERM or SIGINT stops the service: it accepts nothing new, finishes
 * what it began and exits with 0. If that takes longer than `timeoutMs`, it exits with 1 and the names of what hangs. A
 * second signal ends it at once, with 143 or 130. If the service is still starting, it waits for that, within the same
 * time. An uncaught fault is logged and ends the process with 1; work in progress is rolled back.
 */
export function superviseProcess(starting: StartingService, logger: Logger, timeoutMs: number): void {
  let stopRequestedAt: number | undefined;
  let failed = false;

  const stop = async (signal: StopSignal): Promise<void> => {
    if (stopRequestedAt !== undefined) {
      if (performance.now() - stopRequestedAt > SAME_KEYSTROKE_MS) process.exit(EXIT_CODE[signal]);
      return;
    }
    stopRequestedAt = performance.now();
    logger.info(`${signal}: stopping; a second signal ends the process at once`);
    process.exit(await stopped(starting, logger, timeoutMs));
  };

  const fail = async (message: string, error: unknown): Promise<void> => {
    // A failure during a failure must not start this again.
    if (failed) return;
    failed = true;
    if (error instanceof StartError) logger.fatal(`${message}: ${error.message}`);
    else logger.fatal({ err: error }, message);
    await abandoned(starting);
    process.exit(1);
  };

  process.on('SIGINT', () => void stop('SIGINT'));
  process.on('SIGTERM', () => void stop('SIGTERM'));
  process.on('uncaughtException', (error) => void fail('Nobody caught this exception', error));
  process.on('unhandledRejection', (reason) => void fail('Nobody caught this rejection', reason));
  starting.up.catch((error: unknown) => fail('The service could not start', error));
}

async function stopped(starting: StartingService, logger: Logger, timeoutMs: number): Promise<number> {
  const deadline = performance.now() + timeoutMs;
  starting.stopWaiting();
  let service: RunningService | undefined;
  try {
    service = await withTimeout(starting.up, timeoutMs);
    await withTimeout(service.close(), deadline - performance.now());
    await withTimeout(flushSpans(), Math.min(LAST_SPANS_MS, deadline - performance.now())).catch(() => undefined);
    logger.info('Stopped');
    return 0;
  } catch (error) {
    if (error instanceof TimedOutError) {
      const awaited = service?.closing().join(', ') ?? 'its start';
      logger.error(`Not stopped within ${timeoutMs} ms; still waiting for: ${awaited}`);
      await abandoned(starting);
    } else if (service !== undefined) {
      logger.error({ err: error }, 'Stopping failed');
    }
    // Otherwise the start failed meanwhile, and that is reported.
    return 1;
  }
}

async function abandoned(starting: StartingService): Promise<void> {
  await withTimeout(starting.abandon(), LAST_WORK_MS).catch(() => undefined);
}
