import type { IPage } from '../../interfaces/operation.js';
import { ServiceError } from '../errors/service-error.js';

/** No sequence number is larger. */
export const FIRST_PAGE = '9223372036854775807';

/** @throws ServiceError INVALID_REQUEST */
export function checkCursor(cursor: string | undefined): string | undefined {
  if (cursor === undefined || /^\d{1,18}$/.test(cursor)) return cursor;
  throw new ServiceError('INVALID_REQUEST', 'cursor must be the nextCursor of an earlier page', {
    parameter: 'cursor',
  });
}

/** A full page gets a cursor, because there may be more: the id of its last item. */
export function pageOf<Item extends { id: string }>(items: Item[], limit: number): IPage<Item> {
  const nextCursor = items.length === limit ? items.at(-1)?.id : undefined;
  return { items, ...(nextCursor !== undefined && { nextCursor }) };
}
