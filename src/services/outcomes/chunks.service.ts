import { Injectable } from '@nestjs/common';
import type { IChunk, IChunkDetail } from '../../interfaces/chunk.js';
import type { IPage } from '../../interfaces/operation.js';
import { DatabaseService } from '../database/database.service.js';
import { ServiceError } from '../errors/service-error.js';
import { toAnsweredPlan } from '../explain/chunk-plan.js';
import type { ChunkPlan } from '../queue/operation-record.js';
import { checkCursor, FIRST_PAGE } from './cursor.js';
import { selectChunk, selectChunkFailures, selectChunks } from './outcomes.sql.js';

const DEFAULT_LIMIT = 100;

interface ChunkRow extends Omit<IChunk, 'startedAt' | 'settledAt' | 'notifiedAt'> {
  startedAt: Date;
  settledAt: Date;
  notifiedAt: Date | null;
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
  constructor(private readonly database: DatabaseService) {}

  async list(query: { limit?: number; cursor?: string }): Promise<IPage<IChunk>> {
    const limit = query.limit ?? DEFAULT_LIMIT;
    const { rows } = await this.database.query<ChunkRow>(selectChunks(checkCursor(query.cursor) ?? FIRST_PAGE, limit));
    const nextCursor = rows.length === limit ? rows.at(-1)?.id : undefined;
    return { items: rows.map(toChunk), ...(nextCursor !== undefined && { nextCursor }) };
  }

  /** @throws ServiceError CHUNK_NOT_FOUND */
  async get(id: string): Promise<IChunkDetail> {
    const known = /^\d{1,18}$/.test(id)
      ? (await this.database.query<ChunkDetailRow>(selectChunk(id))).rows[0]
      : undefined;
    if (known === undefined) throw new ServiceError('CHUNK_NOT_FOUND', `There is no chunk ${id.slice(0, 40)}`);
    const { rows } = await this.database.query<FailureRow>(selectChunkFailures(id));
    const { plan, ...chunk } = known;
    return { ...toChunk(chunk), failures: rows.map(toFailure), ...(plan !== null && { plan: toAnsweredPlan(plan) }) };
  }
}

function toChunk({ startedAt, settledAt, notifiedAt, ...chunk }: ChunkRow): IChunk {
  return {
    ...chunk,
    startedAt: startedAt.toISOString(),
    settledAt: settledAt.toISOString(),
    ...(notifiedAt !== null && { notifiedAt: notifiedAt.toISOString() }),
  };
}

function toFailure({ code, count, exampleId, exampleMessage }: FailureRow): IChunkDetail['failures'][number] {
  return { code, count, example: { id: exampleId, message: exampleMessage ?? '' } };
}
