import { sendAlong } from '../../batch/sql/send-along.js';
import type { IListOperationsQuery } from '../../interfaces/operation-filter.js';
import type { IPage } from '../../interfaces/operation.js';
import type { SqlClient, SqlDatabase } from '../../interfaces/sql.js';
import type { Access } from '../access/access.js';
import { walkInOrder } from '../database/walk-in-order.js';
import { checkCursor } from './cursor.js';
import { toMatch, type PreparedMatch } from './operation-match.js';
import { selectPage } from './outcomes.sql.js';
import { toOperation, type GivenOperation, type OperationRow } from './to-operation.js';
import { firstStretch, prepareMatch, walkMatches } from './walk-matches.js';

const DEFAULT_LIMIT = 100;
/**
 * A page begins no further stretch after this time, even if it is not full. Each stretch is twice as large as the one
 * before, so the last one takes about as long as all others.
 */
const PAGE_MS = 60;
/** The process serializes a page of this size in a few milliseconds. */
const PAGE_BYTES = 1024 * 1024;

type PageRow = { matched: number; next: string | null } & ({ seq: null } | (OperationRow & { bytes: string }));

/**
 * A page of the operations that match, newest first.
 *
 * @throws ServiceError INVALID_REQUEST
 */
export async function listOperations(
  database: SqlDatabase,
  query: IListOperationsQuery,
  access: Access,
): Promise<IPage<GivenOperation>> {
  const { limit = DEFAULT_LIMIT, cursor, ...filter } = query;
  const match = toMatch(filter, access);
  const from = checkCursor(cursor);
  return database.transaction(async (tx) => {
    sendAlong(tx, walkInOrder());
    const prepared = await prepareMatch(tx, match);
    return prepared === undefined ? { items: [] } : readPage(tx, prepared, limit, from);
  });
}

async function readPage(
  tx: SqlClient,
  match: PreparedMatch,
  limit: number,
  cursor: string | undefined,
): Promise<IPage<GivenOperation>> {
  const items: GivenOperation[] = [];
  let bytes = 0;
  const start = await firstStretch(tx, match, 'descending', cursor);
  const nextCursor = await walkMatches(match, start, PAGE_MS, async (stretch) => {
    const limits = { operations: limit - items.length, bytes: PAGE_BYTES - bytes };
    const { rows } = await tx.query<PageRow>(selectPage(match, stretch, limits));
    const { matched, next } = rows[0]!;
    const found = rows.filter((row): row is PageRow & { seq: string } => row.seq !== null);
    items.push(...found.map(toOperation));
    bytes += found.reduce((sum, row) => sum + Number(row.bytes), 0);
    const isCut = items.length === limit || found.length < matched || bytes >= PAGE_BYTES;
    return isCut && found.length > 0 ? { stopAt: found.at(-1)!.seq } : { next };
  });
  return { items, ...(nextCursor !== undefined && { nextCursor }) };
}
