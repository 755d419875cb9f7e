import { Inject, Injectable } from '@nestjs/common';
import type { IChunk, IChunkDetail } from '../../interfaces/chunk.js';
import type { IPage } from '../../interfaces/operation.js';
import { SETTINGS, type Settings } from '../config/settings.js';
import { DatabaseService } from '../database/database.service.js';
import { ServiceError } from '../errors/service-error.js';
import { toAnsweredPlan } from '../explain/chunk-plan.js';
import { announceAgain, awaitNotifierLock } from '../notification/notification.sql.js';
import type { ChunkPlan } from '../queue/operation-record.js';
import { WakeUpService } from '../wake-up/wake-up.service.js';
import { checkCursor, FIRST_PAGE } from './cursor.js';
import { selectChunk, selectChunkFailures, selectChunks } from './outcomes.sql.js';

const DEFAULT_LIMIT = 100;

interface ChunkRow extends Omit<IChunk, 'startedAt' | 'settledAt' | 'notifiedAt' | 'unrouted'> {
  startedAt: Date;
  settledAt: Date;
  notifiedAt: Date | null;
  unrouted: string[] | null;
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

/** The history of what the poller committed. */
@Injectable()
export class ChunksService {
  constructor(
    @Inject(SETTINGS) private readonly settings: Settings,
    private readonly database: DatabaseService,
    private readonly wakeUp: WakeUpService,
  ) {}

  async list(query: { limit?: number; cursor?: string }): Promise<IPage<IChunk>> {
    const limit = query.limit ?? DEFAULT_LIMIT;
    const { rows } = await this.database.query<ChunkRow>(selectChunks(checkCursor(query.cursor) ?? FIRST_PAGE, limit));
    const nextCursor = rows.length === limit ? rows.at(-1)?.id : undefined;
    return { items: rows.map(toChunk), ...(nextCursor !== undefined && { nextCursor }) };
  }

  /** @throws ServiceError CHUNK_NOT_FOUND */
  async get(id: string): Promise<IChunkDetail> {
    const known = isChunkId(id) ? (await this.database.query<ChunkDetailRow>(selectChunk(id))).rows[0] : undefined;
    if (known === undefined) throw noSuchChunk(id);
    const { rows } = await this.database.query<FailureRow>(selectChunkFailures(id));
    const { plan, ...chunk } = known;
    return { ...toChunk(chunk), failures: rows.map(toFailure), ...(plan !== null && { plan: toAnsweredPlan(plan) }) };
  }

  /**
   * Has the chunk announced once more, to every source; answers it as it stands before that. Sources hear of it out of the order
   * of the chunks.
   *
   * @throws ServiceError CHUNK_NOT_FOUND; NOT_SUPPORTED where there is nowhere to announce to
   */
  async announceAgain(id: string): Promise<IChunkDetail> {
    if ((this.settings.rabbitmq ?? this.settings.notificationTcpUrl) === undefined) throw nowhereToAnnounce();
    if (!isChunkId(id)) throw noSuchChunk(id);
    const { rowCount } = await this.database.transaction(async (tx) => {
      await tx.query(awaitNotifierLock());
      return tx.query(announceAgain(id));
    });
    if (rowCount === 0) throw noSuchChunk(id);
    this.wakeUp.chunkSettled();
    return this.get(id);
  }
}

function isChunkId(id: string): boolean {
  return /^\d{1,18}$/.test(id);
}

function noSuchChunk(id: string): ServiceError {
  return new ServiceError('CHUNK_NOT_FOUND', `There is no chunk ${id.slice(0, 40)}`);
}

/** Such a chunk would wait for ever, and retention would keep its operations with it. */
function nowhereToAnnounce(): ServiceError {
  return new ServiceError(
    'NOT_SUPPORTED',
    'There is nowhere to announce to; set BATCH_SERVICE_RMQ_URL for every process of the service',
  );
}

function toChunk({ startedAt, settledAt, notifiedAt, unrouted, ...chunk }: ChunkRow): IChunk {
  return {
    ...chunk,
    startedAt: startedAt.toISOString(),
    settledAt: settledAt.toISOString(),
    ...(notifiedAt !== null && { notifiedAt: notifiedAt.toISOString() }),
    ...(unrouted !== null && { unrouted }),
  };
}

function toFailure({ code, count, exampleId, exampleMessage }: FailureRow): IChunkDetail['failures'][number] {
  return { code, count, example: { id: exampleId, message: exampleMessage ?? '' } };
}
