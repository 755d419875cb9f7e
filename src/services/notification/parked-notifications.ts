import type {
  IParkedNotification,
  IParkedNotifications,
  ISkippedNotifications,
} from '../../interfaces/notification.js';
import { insertAudit } from '../audit/audit.sql.js';
import type { SqlClient, SqlDatabase } from '../../interfaces/sql.js';
import { ServiceError } from '../errors/service-error.js';
import { selectParkedNotifications, skipNotifications } from './notification.sql.js';

// Used by the service and by the command `notifications`. Not injectable, because the command loads no framework.

const LISTED = 1000;

interface ParkedRow extends Omit<IParkedNotification, 'parkedAt' | 'nextTryAt'> {
  parkedAt: Date;
  nextTryAt: Date;
  total: number;
}

export async function listParked(database: SqlClient): Promise<IParkedNotifications> {
  const { rows } = await database.query<ParkedRow>(selectParkedNotifications(LISTED));
  return { total: rows[0]?.total ?? 0, items: rows.map(toParkedNotification) };
}

/**
 * Skips the parked notifications of a chunk: they are deleted and not sent. Its operations stay as they are, and all
 * notifications of the chunk can be sent again.
 *
 * @param actor who skips them, see `callerName`
 * @throws ServiceError NOTIFICATION_NOT_FOUND when no notification of the chunk is parked
 */
export async function skipParked(
  database: SqlDatabase,
  chunkId: string,
  actor: string | undefined,
): Promise<ISkippedNotifications> {
  const sources = await database.transaction(async (tx) => {
    const { rows } = await tx.query<{ source: string }>(skipNotifications(chunkId));
    const skipped = rows.map(({ source }) => source).sort();
    const entry = {
      act: 'skip',
      actor,
      subject: { kind: 'chunk', id: chunkId },
      details: { sources: skipped },
    } as const;
    if (skipped.length > 0) await tx.query(insertAudit([entry]));
    return skipped;
  });
  if (sources.length > 0) return { chunkId, sources };
  throw new ServiceError('NOTIFICATION_NOT_FOUND', `No notification of chunk ${chunkId} is parked`, { chunkId });
}

function toParkedNotification({ total: _total, parkedAt, nextTryAt, ...row }: ParkedRow): IParkedNotification {
  return { ...row, parkedAt: parkedAt.toISOString(), nextTryAt: nextTryAt.toISOString() };
}
