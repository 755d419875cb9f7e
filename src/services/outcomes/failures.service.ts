import { Injectable } from '@nestjs/common';
import type { IFailureGroup, IFailures, IFailuresQuery } from '../../interfaces/failure.js';
import { isStorable } from '../catalog/target-name.js';
import { DatabaseService } from '../database/database.service.js';
import { ServiceError } from '../errors/service-error.js';
import { canonicalTarget } from './operation-match.js';
import {
  selectFailures,
  selectFailuresSince,
  type FailureKind,
  type FailureLimits,
  type FailuresRow,
} from './failures.sql.js';

export const MOST_KINDS = 100;
/** So a page takes some hundredths of a second, however many operations have failed. */
const LIMITS: Omit<FailureLimits, 'kinds'> = { examined: 4000, counted: 10_000 };
/** Since a time, nothing else is counted. */
const EXAMINED_SINCE = 10_000;

/** Groups failed operations by code, constraint and target, so that an operator sees what is wrong, and how often. */
@Injectable()
export class FailuresService {
  constructor(private readonly database: DatabaseService) {}

  /** @throws ServiceError INVALID_REQUEST */
  async list(query: IFailuresQuery): Promise<IFailures> {
    const { since, source, code, limit: kinds = MOST_KINDS } = query;
    const filter = { code, source, target: query.target === undefined ? undefined : canonicalTarget(query.target) };
    const after = query.cursor === undefined ? undefined : readCursor(query.cursor);
    const statement =
      since === undefined
        ? selectFailures(filter, after, { ...LIMITS, kinds })
        : selectFailuresSince(since, filter, after, { kinds, examined: EXAMINED_SINCE, counted: 0 });
    const { rows } = await this.database.requests.query<FailuresRow>(statement);
    const { groups, examined, isComplete, last, kinds: found } = rows[0]!;
    return {
      items: groups.map(toGroup),
      ...(last !== null && found === kinds && { nextCursor: toCursor(last) }),
      examined,
      isComplete,
    };
  }
}

function toGroup({ constraint, firstAt, lastAt, id, message, ...group }: FailuresRow['groups'][number]): IFailureGroup {
  return {
    ...group,
    ...(constraint !== '' && { constraint }),
    firstAt: new Date(firstAt).toISOString(),
    lastAt: new Date(lastAt).toISOString(),
    example: { id, message: message ?? '' },
  };
}

const toCursor = ({ code, constraint }: FailureKind): string =>
  Buffer.from(JSON.stringify([code, constraint])).toString('base64url');

function readCursor(cursor: string): FailureKind {
  try {
    const [code, constraint] = JSON.parse(Buffer.from(cursor, 'base64url').toString()) as unknown[];
    if (isName(code) && isName(constraint)) return { code, constraint };
  } catch {
    // It is refused below.
  }
  throw new ServiceError('INVALID_REQUEST', 'cursor must be the nextCursor of an earlier page', {
    parameter: 'cursor',
  });
}

const isName = (value: unknown): value is string => typeof value === 'string' && isStorable(value);
