import { setTimeout as delay } from 'node:timers/promises';
import type { DataSource } from 'typeorm';
import type { Settings } from '../services/config/settings.js';
import { isConnectionFault } from '../services/database/classify-failure.js';
import { createDataSource } from '../services/database/data-source.js';
import { databaseRefusal } from '../services/tls/tls-refusal.js';
import { databaseReason, isRefusedByPooler } from './explain-start-failure.js';
import { StartError } from './start-error.js';

const ATTEMPT_EVERY_MS = 1000;

export interface Waiting {
  /** Called after each failed attempt, if there will be another one. */
  onAttempt: (line: string) => void;
  /** Ends the wait, because somebody has stopped the process. */
  signal?: AbortSignal;
}

/**
 * Connects to the database. It waits for a server that does not answer, or is only starting, as long as the settings
 * say. When a machine boots, nothing guarantees that the database starts first.
 *
 * @throws StartError when it does not answer in time, and at once for faults that waiting cannot cure
 */
export async function awaitDatabase(settings: Settings, { onAttempt, signal }: Waiting): Promise<DataSource> {
  const deadline = performance.now() + settings.database.waitMs;
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await createDataSource(settings).initialize();
    } catch (error) {
      const reason = databaseReason(error as Error, settings.database);
      const leftMs = deadline - performance.now();
      const curable =
        isConnectionFault(error) && !isRefusedByPooler(error as Error) && databaseRefusal(error) === undefined;
      if (!curable || leftMs <= 0 || signal?.aborted === true) {
        throw new StartError(reason, { cause: error });
      }
      onAttempt(`Attempt ${attempt} to connect failed, waiting for the database ${seconds(leftMs)} more: ${reason}`);
      // If the signal ends the pause, one last attempt follows.
      await delay(Math.min(ATTEMPT_EVERY_MS, leftMs), undefined, { signal }).catch(() => undefined);
    }
  }
}

const seconds = (ms: number): string => `${Math.ceil(ms / 1000)} s`;
