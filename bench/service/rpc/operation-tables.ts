import type pg from 'pg';
import { eventually } from '../../../test/support/eventually.js';
import { verifyPayloads } from './stored-payloads.js';

/** The service runs meanwhile and looks into several of them at once: emptied one by one, they cannot end in a deadlock with it. */
const QUEUE_TABLES = ['pending', 'delayed', 'outcomes', 'chunks', 'operations'];
const NOTIFIED_WITHIN_MS = 60_000;

/** Empties the service's queue once it has nothing left to do, or while nobody executes anything. */
export async function emptyQueue(admin: pg.Pool): Promise<void> {
  await allNotified(admin);
  for (const table of QUEUE_TABLES) await admin.query(`truncate batch.${table}`);
}

/** Notifications are work too, and must not fall into the next measurement. */
function allNotified(admin: pg.Pool): Promise<void> {
  return eventually(
    async () => {
      const { rows } = await admin.query<{ left: number }>(
        'select count(*)::int as left from batch.chunks where notify and notified_at is null',
      );
      if (rows[0]!.left > 0) throw new Error(`The sources of ${rows[0]!.left} chunks were not notified`);
    },
    { timeoutMs: NOTIFIED_WITHIN_MS },
  );
}

/** @throws unless exactly these requests were stored, and all of them wait */
export async function verifyWaiting(admin: pg.Pool, requests: readonly object[]): Promise<void> {
  await verifyPayloads(
    admin,
    `select jsonb_build_object('operationType', type, 'target', target, 'values', "values") as payload
     from batch.batch_operations where status = 'pending'`,
    requests,
  );
}

/** @throws unless every operation was executed and so many failed */
export async function verifySettled(admin: pg.Pool, operations: number, failed = 0): Promise<void> {
  const { rows } = await admin.query<{ completed: number; waiting: number }>(
    `select (select coalesce(sum(completed), 0)::int from batch.chunks) as completed,
       (select count(*)::int from batch.pending) + (select count(*)::int from batch.delayed) as waiting`,
  );
  const { completed, waiting } = rows[0]!;
  if (completed === operations - failed && waiting === 0) return;
  throw new Error(
    `${completed} of ${operations} operations were completed, of which ${failed} are refused, and ${waiting} still wait`,
  );
}

/** Operations that were executed since the queue was emptied. */
export async function settledOperations(admin: pg.Pool): Promise<number> {
  const { rows } = await admin.query<{ settled: number }>(
    'select coalesce(sum(operations), 0)::int as settled from batch.chunks',
  );
  return rows[0]!.settled;
}
