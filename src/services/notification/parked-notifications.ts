import type { IParkedNotification, ISkippedNotifications } from '../../interfaces/notification.js';
import type { IPage } from '../../interfaces/operation.js';
import { insertAudit } from '../audit/audit.sql.js';
import type { SqlClient, SqlDatabase } from '../../interfaces/sql.js';
import { ServiceError } from '../errors/service-error.js';
import { selectParkedNotifications, skipNotifications, type NotificationKey } from './notification.sql.js';

// Used by the service and by the command `notifications`. Not injectable, because the command loads no framework.

const DEFAULT_LIMIT = 100;
/** No chunk has this number. */
const FIRST_PAGE: NotificationKey = { chunkId: '0', source: '' };

interface ParkedRow extends Omit<IParkedNotification, 'parkedAt' | 'nextTryAt'> {
  parkedAt: Date;
  nextTryAt: Date;
}

/**
 * The parked notifications, those of the oldest chunks first.
 *
 * @throws ServiceError INVALID_REQUEST
 */
export async function listParked(
  database: SqlClient,
  { limit = DEFAULT_LIMIT, cursor }: { limit?: number; cursor?: string },
): Promise<IPage<IParkedNotification>> {
  const after = cursor === undefined ? FIRST_PAGE : readCursor(cursor);
  const { rows } = await database.query<ParkedRow>(selectParkedNotifications(after, limit));
  const last = rows.length === limit ? rows.at(-1) : undefined;
  return { items: rows.map(toParkedNotification), ...(last && { nextCursor: toCursor(last) }) };
}

const toCursor = ({ chunkId, source }: NotificationKey): string => `${chunkId}.${source}`;

function readCursor(cursor: string): NotificationKey {
  const [, chunkId, source] = /^(\d{1,18})\.([\w-]{1,100})$/.exec(cursor) ?? [];
  if (chunkId !== undefined && source !== undefined) return { chunkId, source };
  throw new ServiceError('INVALID_REQUEST', 'cursor must be the nextCursor of an earlier page', {
    parameter: 'cursor',
  });
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

function toParkedNotification({ parkedAt, nextTryAt, ...row }: ParkedRow): IParkedNotification {
  return { ...row, parkedAt: parkedAt.toISOString(), nextTryAt: nextTryAt.toISOString() };
}
