import { setTimeout as delay } from 'node:timers/promises';
import pg from 'pg';
import { clientOptions, type DatabaseConnection } from '../support/test-databases.js';
import type { Ledger } from './ledger.js';

const LOOK_EVERY_MS = 100;

/**
 * Waits until every operation is settled and its source notified. It gives up when nothing has changed for a while: the
 * judge then reports what is missing.
 */
export async function atRest(
  database: DatabaseConnection,
  ledger: Ledger,
  patienceMs: number,
  signal: AbortSignal,
): Promise<void> {
  const client = new pg.Client(clientOptions(database));
  await client.connect();
  try {
    let last = '';
    let movedAt = performance.now();
    while (performance.now() - movedAt < patienceMs) {
      signal.throwIfAborted();
      const { waiting, stored } = await state(client);
      const missing = ledger.size - stored;
      const { unnotified } = ledger;
      // Stored under ids that the callers have forgotten, there may be more than they know of.
      if (waiting === 0 && missing <= 0 && unnotified === 0) return;
      const seen = `${waiting} ${missing} ${unnotified}`;
      if (seen !== last) movedAt = performance.now();
      last = seen;
      await delay(LOOK_EVERY_MS, undefined, { signal });
    }
  } finally {
    await client.end();
  }
}

async function state(client: pg.Client): Promise<{ waiting: number; stored: number }> {
  const { rows } = await client.query<{ waiting: number; stored: number }>(`
    select (select count(*) from batch.pending)::int + (select count(*) from batch.delayed)::int as waiting,
      (select count(*) from batch.operations)::int as stored`);
  return rows[0]!;
}
