import { setTimeout as delay } from 'node:timers/promises';
import type pg from 'pg';
import { settledOperations } from './operation-tables.js';

/** Short against the measured times, and cheap: the table that is read has one row for each chunk. */
const LOOK_EVERY_MS = 5;
const SILENCE_MS = 60_000;

/** Resolves when so many operations were executed since the queue was emptied. @throws when none is for a minute */
export async function awaitSettled(
  admin: pg.Pool,
  operations: number,
  { lookEveryMs = LOOK_EVERY_MS } = {},
): Promise<void> {
  let seen = 0;
  let latest = performance.now();
  for (;;) {
    const settled = await settledOperations(admin);
    if (settled >= operations) return;
    if (settled > seen) latest = performance.now();
    else if (performance.now() - latest > SILENCE_MS) {
      throw new Error(`${settled} of ${operations} operations were executed, and no other for ${SILENCE_MS / 1000} s`);
    }
    seen = settled;
    await delay(lookEveryMs);
  }
}
