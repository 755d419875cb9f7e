import type { INestApplicationContext } from '@nestjs/common';
import type { Logger } from 'pino';
import { PartError } from '../../parts/part-error.js';
import { WorkerStartError } from '../worker-error.js';
import { within } from './within.js';
import { WorkerHealth } from './worker-health.js';
import { WorkerLifecycle } from './worker-lifecycle.js';

type StopSignal = 'SIGINT' | 'SIGTERM';

/** The exit status that a shell uses for a process that a signal ended. */
const EXIT_CODE: Readonly<Record<StopSignal, number>> = { SIGINT: 130, SIGTERM: 143 };
/** Under `npm start` one Ctrl-C arrives twice, from the terminal and from npm. */
const SAME_KEYSTROKE_MS = 500;
/** For connections to be closed, after the jobs have ended. */
const LAST_CLOSE_MS = 5000;

/**
 * Starts the worker and ends its process in an orderly way. While it starts no job runs, so a signal then ends it at once.
 * Nobody knows the state of a process after a fault that nobody caught: it ends with 1, and its jobs are taken over.
 *
 * @param start makes the application, which works no jobs yet
 * @returns never resolves: the process ends
 */
export async function superviseWorker(
  log: Logger,
  shutdownMs: number,
  start: () => Promise<INestApplicationContext>,
): Promise<never> {
  let app: INestApplicationContext | undefined;
  let stoppedAt: number | undefined;

  const stop = async (signal: StopSignal): Promise<void> => {
    if (stoppedAt !== undefined) {
      if (performance.now() - stoppedAt > SAME_KEYSTROKE_MS) process.exit(EXIT_CODE[signal]);
      return;
    }
    stoppedAt = performance.now();
    if (app === undefined) {
      log.info({ signal }, 'Stopped while starting');
      process.exit(0);
    }
    log.info({ signal, deadlineMs: shutdownMs }, 'worker.stopping');
    process.exit(await stopped(app, log));
  };
  const fail = (message: string, error: unknown): never => {
    if (error instanceof WorkerStartError) log.fatal({ code: error.code, faults: error.faults }, error.message);
    else if (error instanceof PartError) log.fatal({ code: error.code }, error.message);
    else log.fatal({ err: error }, message);
    process.exit(1);
  };

  process.on('SIGINT', () => void stop('SIGINT'));
  process.on('SIGTERM', () => void stop('SIGTERM'));
  process.on('uncaughtException', (error) => fail('Nobody caught this exception', error));
  process.on('unhandledRejection', (reason) => fail('Nobody caught this rejection', reason));
  try {
    app = await start();
    // Only now: before, a signal ends the process at once.
    app.get(WorkerLifecycle).work();
    await app.get(WorkerHealth).check();
  } catch (error) {
    fail('The worker could not start', error);
  }
  return new Promise<never>(() => undefined);
}

async function stopped(app: INestApplicationContext, log: Logger): Promise<number> {
  const drained = await app.get(WorkerLifecycle).drain();
  if (!drained) return 1;
  try {
    const closed = app.close().then(() => true);
    if ((await within(closed, LAST_CLOSE_MS)) === undefined) {
      log.error(`The jobs have ended, but the connections were not closed within ${LAST_CLOSE_MS} ms`);
      return 1;
    }
    log.info('worker.stopped');
    return 0;
  } catch (err) {
    log.error({ err }, 'Stopping failed');
    return 1;
  }
}
