import { Inject, Injectable } from '@nestjs/common';
import { InjectRepository } from '@nestjs/typeorm';
import { In, type Repository } from 'typeorm';
import { ChunkEntity } from '../../entities/chunk.entity.js';
import type {
  IChunk,
  IChunkDetail,
  IChunkGroupMember,
  IChunkPhases,
  IListChunksQuery,
} from '../../interfaces/chunk.js';
import type { IPage } from '../../interfaces/operation.js';
import { sendAlong } from '../../batch/sql/send-along.js';
import { SETTINGS, type Settings } from '../config/settings.js';
import { DatabaseService } from '../database/database.service.js';
import { walkInOrder } from '../database/walk-in-order.js';
import { toAnsweredPlan } from '../explain/chunk-plan.js';
import { notifyAgain, isChunkId, noSuchChunk } from '../notification/notify-again.js';
import type { ChunkPlan } from '../queue/operation-record.js';
import { WakeUpService } from '../wake-up/wake-up.service.js';
import { selectChunkPage, selectGroupMembers, type ChunkPageRow } from './chunks.sql.js';
import { checkCursor, FIRST_PAGE } from './cursor.js';
import { selectChunkFailures } from './outcomes.sql.js';

type PageQuery = Pick<IListChunksQuery, 'limit' | 'cursor'>;

const DEFAULT_LIMIT = 100;
/** How many chunks a page examines at most. */
const WINDOW = 10_000;

interface FailureRow {
  code: string;
  count: number;
  exampleId: string;
  exampleMessage: string | null;
}

@Injectable()
export class ChunksService {
  constructor(
    @Inject(SETTINGS) private readonly settings: Settings,
    @InjectRepository(ChunkEntity) private readonly chunks: Repository<ChunkEntity>,
    private readonly database: DatabaseService,
    private readonly wakeUp: WakeUpService,
  ) {}

  /** @throws ServiceError INVALID_REQUEST */
  async list({ limit = DEFAULT_LIMIT, cursor, ...filter }: IListChunksQuery): Promise<IPage<IChunk>> {
    const { requests } = this.database;
    const before = checkCursor(cursor) ?? FIRST_PAGE;
    const { ids, walked, floor } = await requests.transaction(async (tx) => {
      sendAlong(tx, walkInOrder());
      return (await tx.query<ChunkPageRow>(selectChunkPage(filter, before, limit, WINDOW))).rows[0]!;
    });
    const found = await requests.within(() => this.chunks.find({ where: { id: In(ids) }, order: { id: 'DESC' } }));
    // Older chunks may match as well.
    const nextCursor = ids.length === limit ? ids.at(-1) : walked === WINDOW ? floor : undefined;
    return { items: found.map(toChunk), ...(typeof nextCursor === 'string' && { nextCursor }) };
  }

  /** @throws ServiceError CHUNK_NOT_FOUND */
  async get(id: string): Promise<IChunkDetail> {
    const { requests } = this.database;
    const known = isChunkId(id)
      ? await requests.within(() => this.chunks.createQueryBuilder('c').addSelect('c.plan').where({ id }).getOne())
      : null;
    if (known === null) throw noSuchChunk(id);
    const { rows } = await requests.query<FailureRow>(selectChunkFailures(id));
    const plan = known.plan as ChunkPlan | null;
    const phases = toPhases(known);
    return {
      ...toChunk(known),
      ...(phases && { phases }),
      failures: rows.map(toFailure),
      ...(plan !== null && { plan: toAnsweredPlan(plan), ...toIsolation(plan) }),
    };
  }

  /**
   * The operations of a group, in the order in which they were accepted. None where the group was not kept.
   *
   * @throws ServiceError CHUNK_NOT_FOUND, INVALID_REQUEST
   */
  async groupMembers(id: string, group: number, page: PageQuery): Promise<IPage<IChunkGroupMember>> {
    const { limit = DEFAULT_LIMIT, cursor } = page;
    const { requests } = this.database;
    const known = isChunkId(id) && (await requests.within(() => this.chunks.existsBy({ id })));
    if (!known) throw noSuchChunk(id);
    const after = checkCursor(cursor) ?? '0';
    const { rows } = await requests.query<IChunkGroupMember & { seq: string }>(
      selectGroupMembers(id, group, after, limit),
    );
    const items = rows.map(({ seq: _seq, ...member }) => member);
    return { items, ...(rows.length === limit && { nextCursor: rows.at(-1)!.seq }) };
  }

  /**
   * Returns the chunk as it is before its notifications are sent again. These come out of the order of the chunks.
   *
   * @see notifyAgain
   */
  async notifyAgain(id: string, actor?: string): Promise<IChunkDetail> {
    await notifyAgain(this.database.requests, this.settings, id, actor);
    this.wakeUp.chunkSettled();
    return this.get(id);
  }
}

function toChunk(chunk: ChunkEntity): IChunk {
  const { id, worker, operations, completed, failed, deferred, groups, statements, fallback, durationMs } = chunk;
  const { startedAt, settledAt, notifiedAt, unrouted, parked } = chunk;
  return {
    ...{ id, worker, operations, completed, failed, deferred, groups, statements, fallback, durationMs },
    startedAt: startedAt.toISOString(),
    settledAt: settledAt.toISOString(),
    ...(notifiedAt !== null && { notifiedAt: notifiedAt.toISOString() }),
    ...(unrouted !== null && { unrouted }),
    ...(parked !== null && { parked }),
  };
}

function toIsolation({ isolation }: ChunkPlan): Pick<IChunkDetail, 'isolation' | 'omittedIsolationSteps'> {
  if (isolation === undefined) return {};
  const { steps, omitted } = isolation;
  return { isolation: steps, ...(omitted > 0 && { omittedIsolationSteps: omitted }) };
}

function toPhases({ claimMs, readMs, planMs, executeMs, settleMs }: ChunkEntity): IChunkPhases | undefined {
  if (settleMs === null) return undefined;
  const [claim, read, plan, execute, settle] = [claimMs, readMs, planMs, executeMs, settleMs].map(toHundredths);
  return { claim, read, plan, execute, settle } as IChunkPhases;
}

/** Rounded down, so that the sum of the phases stays below the duration. */
const toHundredths = (ms: number | null): number => Math.floor((ms ?? 0) * 100) / 100;

function toFailure({ code, count, exampleId, exampleMessage }: FailureRow): IChunkDetail['failures'][number] {
  return { code, count, example: { id: exampleId, message: exampleMessage ?? '' } };
}
