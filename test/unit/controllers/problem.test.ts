import pg from 'pg';
import { BadRequestException, HttpException, NotFoundException, UnsupportedMediaTypeException } from '@nestjs/common';
import { describe, expect, it } from 'vitest';
import { toProblem } from '../../../src/controllers/http/filters/to-problem.js';
import { NoPlaceError } from '../../../src/services/database/places.js';
import { ServiceError } from '../../../src/services/errors/service-error.js';

const databaseError = (code: string): Error =>
  Object.assign(new pg.DatabaseError('from the database', 0, 'error'), { code });
const networkError = (code: string): Error => Object.assign(new Error('from the network'), { code });
const parserError = (type: string, fields: object = {}): Error =>
  Object.assign(new Error('Unexpected token'), { type, ...fields });

describe('toProblem', () => {
  it('tells a refusal as it is', () => {
    expect(toProblem(new ServiceError('UNKNOWN_COLUMN', 'There is no column totl', { column: 'totl' }))).toEqual({
      type: 'urn:batch-service:problem:UNKNOWN_COLUMN',
      title: 'The table has no such column',
      status: 422,
      detail: 'There is no column totl',
      code: 'UNKNOWN_COLUMN',
      details: { column: 'totl' },
    });
  });

  it.each<[what: string, error: unknown, status: number, code: string]>([
    ['a path that is not there', new NotFoundException('Cannot GET /x'), 404, 'ROUTE_NOT_FOUND'],
    ['a type that is not JSON', new UnsupportedMediaTypeException('Bodies are JSON'), 415, 'MALFORMED_MESSAGE'],
    [
      'a body that is no JSON',
      new BadRequestException('Unexpected token', { cause: parserError('entity.parse.failed') }),
      400,
      'MALFORMED_MESSAGE',
    ],
    [
      'a body that was not sent whole',
      new HttpException('request aborted', 400, { cause: parserError('request.aborted') }),
      400,
      'MALFORMED_MESSAGE',
    ],
    [
      'too large a body',
      new HttpException('request entity too large', 413, { cause: parserError('entity.too.large', { limit: 65_536 }) }),
      413,
      'PAYLOAD_TOO_LARGE',
    ],
    [
      'what the check of the body throws',
      new HttpException('nested', 403, { cause: new ServiceError('MALFORMED_MESSAGE', 'nests too deep') }),
      400,
      'MALFORMED_MESSAGE',
    ],
    ['a path that cannot be decoded', new BadRequestException('Failed to decode param'), 400, 'INVALID_REQUEST'],
    ['a database that shuts down', databaseError('57P01'), 503, 'SERVICE_UNAVAILABLE'],
    ['a database that refuses connections', networkError('ECONNREFUSED'), 503, 'SERVICE_UNAVAILABLE'],
    ['a connection that breaks', networkError('EPIPE'), 503, 'SERVICE_UNAVAILABLE'],
    ['a pool that has no connection', new Error('timeout exceeded when trying to connect'), 503, 'SERVICE_UNAVAILABLE'],
    ['a lock that is not free in time', databaseError('55P03'), 503, 'SERVICE_UNAVAILABLE'],
    ['no connection for a request', new NoPlaceError(6, 5000), 503, 'OVERLOADED'],
    ['a wrong statement of ours', databaseError('42601'), 500, 'INTERNAL_ERROR'],
    ['a bug', new TypeError('x is not a function'), 500, 'INTERNAL_ERROR'],
    ['a fault that NestJS tells', new HttpException('broken', 500), 500, 'INTERNAL_ERROR'],
    ['what is no error', 'broken', 500, 'INTERNAL_ERROR'],
  ])('answers %s', (_what, error, status, code) => {
    expect(toProblem(error)).toMatchObject({ status, code });
  });

  it('does not tell what a bug was', () => {
    expect(JSON.stringify(toProblem(new TypeError('the password is hunter2')))).not.toContain('hunter2');
  });

  it('tells the limit that a body exceeded', () => {
    const cause = parserError('entity.too.large', { limit: 65_536 });
    expect(toProblem(new HttpException('too large', 413, { cause })).detail).toContain('64 KiB');
  });
});
