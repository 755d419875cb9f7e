import { v7 as uuid } from 'uuid';
import { loadSettings } from '../../src/services/config/load-settings.js';
import { WakeUpService } from '../../src/services/wake-up/wake-up.service.js';
import type { TestEnvironment } from '../../test/support/test-settings.js';
import { newOperation, openWorkerWith, type Requested } from '../../test/support/worker.js';
import { inChunks } from '../rows/items.js';

/** An operation without what the queue gives it. */
export type QueuedOperation = Requested;

/** Fills the queue as intake does, without RPC; tells workers that there is something in it. */
export interface Filler {
  fill(operations: readonly QueuedOperation[]): Promise<void>;
  wakeWorkers(): void;
  close(): Promise<void>;
}

const ENQUEUED_AT_ONCE = 5000;

/** @param environment of the database; with `REDIS_URL`, which is how workers are woken */
export async function openFiller(environment: TestEnvironment): Promise<Filler> {
  const settings = loadSettings(environment);
  const worker = await openWorkerWith(settings);
  const wakeUp = new WakeUpService(settings);
  wakeUp.onModuleInit();
  return {
    async fill(operations) {
      const all = operations.map((operation) => newOperation({ ...operation, id: uuid() }));
      for (const some of inChunks(all, ENQUEUED_AT_ONCE)) await worker.queue.enqueue(some);
    },
    wakeWorkers: () => wakeUp.operationsAccepted(),
    async close() {
      wakeUp.onApplicationShutdown();
      await worker.close();
    },
  };
}
