import { insertAudit } from '../audit/audit.sql.js';
import type { Settings } from '../config/settings.js';
import { isLockNotAvailable } from '../database/classify-failure.js';
import { NoPlaceError } from '../database/places.js';
import type { RequestConnections } from '../database/request-connections.js';
import { cutText } from '../errors/cut-text.js';
import { ServiceError } from '../errors/service-error.js';
import { requestNotifications, awaitNotifierLock } from './notification.sql.js';

const NOTIFIER_RETRY_MS = 1000;

/**
 * Makes the next round of a notifier send the notifications of a chunk again, to every source.
 *
 * @param actor who asks for it, see `callerName`
 * @throws ServiceError CHUNK_NOT_FOUND; NOT_SUPPORTED when no receiver is configured; SERVICE_UNAVAILABLE while a round
 *   of the notifier takes too long
 */
export async function notifyAgain(
  requests: RequestConnections,
  { rabbitmq, notificationTcpUrl }: Pick<Settings, 'rabbitmq' | 'notificationTcpUrl'>,
  id: string,
  actor: string | undefined,
): Promise<void> {
  if ((rabbitmq ?? notificationTcpUrl) === undefined) throw nobodyToNotify();
  if (!isChunkId(id) || !(await requestAgain(requests, id, actor))) throw noSuchChunk(id);
}

export function isChunkId(id: string): boolean {
  return /^\d{1,18}$/.test(id);
}

export function noSuchChunk(id: string): ServiceError {
  return new ServiceError('CHUNK_NOT_FOUND', `There is no chunk ${cutText(id, 40)}`);
}

/** A round of the notifier may wait long for the broker, so the request waits only for a limited time. */
async function requestAgain(requests: RequestConnections, id: string, actor: string | undefined): Promise<boolean> {
  try {
    return await requests.lockingTransaction(async (tx) => {
      await tx.query(awaitNotifierLock());
      const { rowCount } = await tx.query(requestNotifications(id));
      if (rowCount === 0) return false;
      await tx.query(insertAudit([{ act: 'notify', actor, subject: { kind: 'chunk', id } }]));
      return true;
    });
  } catch (error) {
    if (!isLockNotAvailable(error) && !(error instanceof NoPlaceError)) throw error;
    throw notifierBusy(id, error);
  }
}

function notifierBusy(id: string, cause: unknown): ServiceError {
  return new ServiceError(
    'SERVICE_UNAVAILABLE',
    `Notifications are being sent now and may wait for the broker. Nothing was changed for chunk ${id}; send the request again in a second`,
    { retryAfterMs: NOTIFIER_RETRY_MS },
    { cause },
  );
}

/** Without a receiver, the chunk would wait forever, and retention would never delete its operations. */
function nobodyToNotify(): ServiceError {
  return new ServiceError(
    'NOT_SUPPORTED',
    'No receiver of notifications is configured; set BATCH_SERVICE_RMQ_URL for every process of the service',
  );
}
