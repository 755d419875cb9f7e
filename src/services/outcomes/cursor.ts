import { ServiceError } from '../errors/service-error.js';

/** Above every sequence number. */
export const FIRST_PAGE = '9223372036854775807';

/** @throws ServiceError INVALID_REQUEST */
export function checkCursor(cursor: string | undefined): string | undefined {
  if (cursor === undefined || /^\d{1,18}$/.test(cursor)) return cursor;
  throw new ServiceError('INVALID_REQUEST', 'cursor must be the nextCursor of an earlier page', {
    parameter: 'cursor',
  });
}
