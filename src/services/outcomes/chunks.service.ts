import { Inject, Injectable } from '@nestjs/common';
import type { IChunk, IChunkDetail } from '../../interfaces/chunk.js';
import type { IPage } from '../../interfaces/operation.js';
import { insertAudit } from '../audit/audit.sql.js';
import { SETTINGS, type Settings } from '../config/settings.js';
import { DatabaseService } from '../database/database.service.js';
import { cutText } from '../errors/cut-text.js';
import { NoPlaceError } from '../database/places.js';
import { isLockNotAvailable } from '../database/classify-failure.js';
import { ServiceError } from '../errors/service-error.js';
import { toAnsweredPlan } from '../explain/chunk-plan.js';
import { announceAgain, awaitNotifierLock } from '../notification/notification.sql.js';
import type { ChunkPlan } from '../queue/operation-record.js';
import { WakeUpService } from '../wake-up/wake-up.service.js';
import { checkCursor, FIRST_PAGE } from './cursor.js';
import { selectChunk, selectChunkFailures, selectChunks } from './outcomes.sql.js';

const DEFAULT_LIMIT = 100;

interface ChunkRow extends Omit<IChunk, 'startedAt' | 'settledAt' | 'notifiedAt' | 'unrouted' | 'parked'> {
  startedAt: Date;
  settledAt: Date;
  notifiedAt: Date | null;
  unrouted: string[] | null;
  parked: string[] | null;
}

interface ChunkDetailRow extends ChunkRow {
  plan: ChunkPlan | null;
}

interface FailureRow {
  code: string;
  count: number;
  exampleId: string;
  exampleMessage: string | null;
}

/** The history of the chunks that were committed. */
@Injectable()
export class ChunksService {
  constructor(
    @Inject(SETTINGS) private readonly settings: Settings,
    private readonly database: DatabaseService,
    private readonly wakeUp: WakeUpService,
  ) {}

  async list(query: { limit?: number; cursor?: string }): Promise<IPage<IChunk>> {
    const limit = query.limit ?? DEFAULT_LIMIT;
    const { rows } = await this.database.requests.query<ChunkRow>(
      selectChunks(checkCursor(query.cursor) ?? FIRST_PAGE, limit),
    );
    const nextCursor = rows.length === limit ? rows.at(-1)?.id : undefined;
    return { items: rows.map(toChunk), ...(nextCursor !== undefined && { nextCursor }) };
  }

  /** @throws ServiceError CHUNK_NOT_FOUND */
  async get(id: string): Promise<IChunkDetail> {
    const known = isChunkId(id)
      ? (await this.database.requests.query<ChunkDetailRow>(selectChunk(id))).rows[0]
      : undefined;
    if (known === undefined) throw noSuchChunk(id);
    const { rows } = await this.database.requests.query<FailureRow>(selectChunkFailures(id));
    const { plan, ...chunk } = known;
    return { ...toChunk(chunk), failures: rows.map(toFailure), ...(plan !== null && { plan: toAnsweredPlan(plan) }) };
  }

  /**
   * Announces the chunk once more, to every source. Returns the chunk as it was before. Sources are notified out of the
   * order of the chunks.
   *
   * @param actor the caller that requests it, see `callerName`
   * @throws ServiceError CHUNK_NOT_FOUND; NOT_SUPPORTED when no receiver is configured; SERVICE_UNAVAILABLE while a
   * round of the notifier takes too long
   */
  async announceAgain(id: string, actor?: string): Promise<IChunkDetail> {
    if ((this.settings.rabbitmq ?? this.settings.notificationTcpUrl) === undefined) throw nowhereToAnnounce();
    if (!isChunkId(id)) throw noSuchChunk(id);
    if ((await this.requestAnnouncement(id, actor)) === 0) throw noSuchChunk(id);
    this.wakeUp.chunkSettled();
    return this.get(id);
  }

  /** A round may wait for the broker, so the request waits only for a limited time. */
  private async requestAnnouncement(id: string, actor: string | undefined): Promise<number | null> {
    try {
      return await this.database.requests.lockingTransaction(async (tx) => {
        await tx.query(awaitNotifierLock());
        const { rowCount } = await tx.query(announceAgain(id));
        if (rowCount !== 0) await tx.query(insertAudit([{ act: 'announce', actor, subject: { kind: 'chunk', id } }]));
        return rowCount;
      });
    } catch (error) {
      if (!isLockNotAvailable(error) && !(error instanceof NoPlaceError)) throw error;
      throw notifierBusy(id, error);
    }
  }
}

function isChunkId(id: string): boolean {
  return /^\d{1,18}$/.test(id);
}

function noSuchChunk(id: string): ServiceError {
  return new ServiceError('CHUNK_NOT_FOUND', `There is no chunk ${cutText(id, 40)}`);
}

const NOTIFIER_RETRY_MS = 1000;

function notifierBusy(id: string, cause: unknown): ServiceError {
  return new ServiceError(
    'SERVICE_UNAVAILABLE',
    `Notifications are being sent now and may wait for the broker. Nothing was changed for chunk ${id}; send the request again in a second`,
    { retryAfterMs: NOTIFIER_RETRY_MS },
    { cause },
  );
}

/** Such a chunk would wait for ever, and retention would never delete its operations. */
function nowhereToAnnounce(): ServiceError {
  return new ServiceError(
    'NOT_SUPPORTED',
    'No receiver of notifications is configured; set BATCH_SERVICE_RMQ_URL for every process of the service',
  );
}

function toChunk({ startedAt, settledAt, notifiedAt, unrouted, parked, ...chunk }: ChunkRow): IChunk {
  return {
    ...chunk,
    startedAt: startedAt.toISOString(),
    settledAt: settledAt.toISOString(),
    ...(notifiedAt !== null && { notifiedAt: notifiedAt.toISOString() }),
    ...(unrouted !== null && { unrouted }),
    ...(parked !== null && { parked }),
  };
}

function toFailure({ code, count, exampleId, exampleMessage }: FailureRow): IChunkDetail['failures'][number] {
  return { code, count, example: { id: exampleId, message: exampleMessage ?? '' } };
}
