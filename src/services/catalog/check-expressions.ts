import { isLockNotAvailable } from '../database/classify-failure.js';
import type { SqlClient } from '../../interfaces/sql.js';
import { selectCheckExpressions, type CheckExpressionRow } from './tables.sql.js';

/** Callers and chunks wait meanwhile, also those of other tables. */
const LOCK_TIMEOUT_MS = 100;
/** At most this number of tables is read one by one, because each of them may be locked. */
const MOST_ALONE = 10;

/**
 * The expressions of checks, by the checks' numbers. Checks of a table that another session has locked are left out.
 */
export type CheckExpressions = ReadonlyMap<number, string>;

/**
 * PostgreSQL reads the expression of a check only under a lock of its table, and a session that alters the table may
 * hold that for hours. So the wait is short. An unknown check only costs speed, until the catalog is read the next
 * time.
 *
 * @param oids of tables
 */
export async function readCheckExpressions(database: SqlClient, oids: readonly number[]): Promise<CheckExpressions> {
  if (oids.length === 0) return new Map();
  const together = await readUnlocked(database, oids);
  if (together !== undefined) return together;
  const found = new Map<number, string>();
  if (oids.length === 1 || oids.length > MOST_ALONE) return found;
  for (const oid of oids) {
    for (const [check, expression] of (await readUnlocked(database, [oid])) ?? []) found.set(check, expression);
  }
  return found;
}

/** Undefined: one of the tables is locked. */
async function readUnlocked(database: SqlClient, oids: readonly number[]): Promise<CheckExpressions | undefined> {
  try {
    const { rows } = await database.query<CheckExpressionRow>(selectCheckExpressions(oids, LOCK_TIMEOUT_MS));
    return new Map(rows.flatMap(({ oid, expression }) => (expression === null ? [] : [[oid, expression]])));
  } catch (error) {
    if (isLockNotAvailable(error)) return undefined;
    throw error;
  }
}
