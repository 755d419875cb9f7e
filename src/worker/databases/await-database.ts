import { setTimeout as delay } from 'node:timers/promises';
import type { Logger } from 'pino';
import type { DataSource } from 'typeorm';
import { tlsRefusal } from '../../interfaces/tls-refusal.js';
import { TRUSTED_CAS } from '../../interfaces/trusted-cas.js';
import type { DatabaseInstance } from '../settings/worker-settings.js';
import { WorkerStartError } from '../worker-error.js';
import { within } from '../runtime/within.js';
import { isDatabaseFault } from './database-fault.js';

const ATTEMPT_EVERY_MS = 1000;

interface Unopened {
  instance: string;
  options: DatabaseInstance;
  source: DataSource;
}

interface Waiting {
  /** On the clock of `performance.now()`. */
  deadline: number;
  log: Logger;
}

/**
 * Connects to all databases at the same time. A server that does not answer or is only starting is asked again until the
 * deadline; what waiting cannot cure is told at once.
 *
 * @throws WorkerStartError DATABASE_UNAVAILABLE; then none is open
 */
export async function awaitDatabase(databases: readonly Unopened[], waiting: Waiting): Promise<void> {
  const results = await Promise.allSettled(databases.map((database) => open(database, waiting)));
  const failed = results.flatMap((result) => (result.status === 'rejected' ? [result.reason as Error] : []));
  if (failed.length === 0) return;
  await Promise.all(databases.filter(({ source }) => source.isInitialized).map(({ source }) => source.destroy()));
  throw new WorkerStartError(
    'DATABASE_UNAVAILABLE',
    failed.map(({ message }) => message),
    { cause: failed[0] },
  );
}

async function open({ instance, options, source }: Unopened, { deadline, log }: Waiting): Promise<void> {
  const where = `database instance "${instance}" (PostgreSQL on ${options.host}:${options.port})`;
  for (;;) {
    const leftMs = deadline - performance.now();
    try {
      // A server that takes a connection and then says nothing must not hold up the end of the wait.
      if ((await within(source.initialize(), Math.max(leftMs, 0))) === undefined) throw new Error('it does not answer');
      return;
    } catch (error) {
      const refusal = tlsRefusal(error, { host: `DATABASE_CONFIG.instances.${instance}`, ca: TRUSTED_CAS });
      if (refusal !== undefined) throw new Error(`${where} ${refusal}`, { cause: error });
      const reason = (error as Error).message;
      if (!isDatabaseFault(error) || deadline - performance.now() < ATTEMPT_EVERY_MS) {
        throw new Error(`${where}: ${reason}`, { cause: error });
      }
      log.warn({ instance, reason }, `Waiting for the ${where}`);
      await delay(ATTEMPT_EVERY_MS);
    }
  }
}
