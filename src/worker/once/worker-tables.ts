import type { DataSource } from 'typeorm';
import { WorkerStartError } from '../worker-error.js';
import { createTables, isMadeMeanwhile, isPresent, lockTables } from './once.sql.js';

const INSUFFICIENT_PRIVILEGE = '42501';

/**
 * Makes the schema `batch_worker` where it is missing. Where it is there, the user needs no right to create anything: only
 * `usage` on the schema, and `select, insert, update` on its tables.
 *
 * @throws WorkerStartError DATABASE_RIGHTS_MISSING when it is missing and the user may not create it
 */
export async function ensureWorkerTables(source: DataSource, instance: string): Promise<void> {
  const [found] = await source.query<{ present: boolean }[]>(isPresent().text);
  if (found?.present === true) return;
  try {
    await source.transaction(async (tx) => {
      const lock = lockTables();
      await tx.query(lock.text, lock.values);
      const [made] = await tx.query<{ present: boolean }[]>(isMadeMeanwhile().text);
      if (made?.present === true) return;
      for (const { text, values } of createTables()) await tx.query(text, values);
    });
  } catch (cause) {
    if ((cause as { code?: unknown }).code !== INSUFFICIENT_PRIVILEGE) throw cause;
    const { message } = cause as Error;
    throw new WorkerStartError(
      'DATABASE_RIGHTS_MISSING',
      [
        `database instance "${instance}" has no schema batch_worker, and its user may not create it (${message}): ` +
          'start a worker once as a user that may, then grant usage on the schema, and select, insert, update on its tables',
      ],
      { cause },
    );
  }
}
