import { Inject, Injectable } from '@nestjs/common';
import type { IChunk, IChunkDetail } from '../../interfaces/chunk.js';
import type { IPage } from '../../interfaces/operation.js';
import { SETTINGS, type Settings } from '../config/settings.js';
import { DatabaseService } from '../database/database.service.js';
import { toAnsweredPlan } from '../explain/chunk-plan.js';
import { announceChunk, isChunkId, noSuchChunk } from '../notification/announce-chunk.js';
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
   * Answers the chunk as it stands before it is announced again. Sources hear of it out of the order of the chunks.
   *
   * @see announceChunk
   */
  async announceAgain(id: string, actor?: string): Promise<IChunkDetail> {
    await announceChunk(this.database.requests, this.settings, id, actor);
    this.wakeUp.chunkSettled();
    return this.get(id);
  }
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
