import { describe, expect, it } from 'vitest';
import { ServiceError } from '../../src/services/errors/service-error.js';
import { parseRequest, type ParsedRequest } from '../../src/services/intake/parse-request.js';

const NOW = new Date('2030-06-15T12:00:00Z');
const ID = '018F6F4E-7C1A-7CC0-9D3B-2F6C5A1E8B4D';
const INSERT = { operationType: 'insert', target: 't', values: { a: 1 } };
const UPDATE = { operationType: 'update', target: 't', key: { id: 1 }, values: { a: 1 } };

const parse = (request: unknown, maxOperationKb = 64) => parseRequest(request, { maxOperationKb, now: NOW });
const accepted = (request: unknown): ParsedRequest => {
  const parsed = parse(request);
  if (parsed instanceof ServiceError) throw parsed;
  return parsed;
};
const refused = (request: unknown): ServiceError => {
  const parsed = parse(request);
  if (!(parsed instanceof ServiceError)) throw new Error('The request was accepted');
  return parsed;
};
const nested = (levels: number): unknown => JSON.parse('['.repeat(levels) + ']'.repeat(levels));

describe('parseRequest', () => {
  it('makes definite what was left open', () => {
    const parsed = accepted(INSERT);
    expect(parsed).toMatchObject({ operationType: 'insert', target: 't', priority: 0, mustExist: false });
    expect(parsed.id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-/);
    expect(parsed.runAt).toBeUndefined();
    expect([parsed.key, parsed.values]).toEqual([undefined, { a: 1 }]);
    expect(accepted(INSERT).id).not.toBe(parsed.id);
  });

  it('takes retries', () => {
    const retry = { limit: 100, on: ['conflict', 'missing_row', 'missing_parent'] };
    expect(accepted({ ...UPDATE, mustExist: true, retry }).retry).toEqual({
      limit: 100,
      on: ['missing_parent', 'missing_row', 'conflict'],
    });
    expect(accepted({ ...INSERT, retry: { limit: 1, on: ['conflict'] } }).retry).toEqual({
      limit: 1,
      on: ['conflict'],
    });
  });

  it('keeps what was given', () => {
    expect(
      accepted({
        ...UPDATE,
        id: ID,
        mustExist: true,
        priority: 9,
        source: 'shop_1-a',
        runAt: '2031-01-01T01:00+01:00',
      }),
    ).toMatchObject({
      id: ID.toLowerCase(),
      mustExist: true,
      priority: 9,
      source: 'shop_1-a',
      runAt: '2031-01-01T00:00:00.000Z',
      key: { id: 1 },
    });
    expect(accepted({ ...INSERT, onConflict: 'ignore' }).onConflict).toBe('ignore');
    expect(accepted({ ...INSERT, operationType: 'upsert', conflictKey: ['b', 'a'] }).conflictKey).toEqual(['b', 'a']);
  });

  it('takes an undefined field for an absent one', () => {
    expect(accepted({ ...INSERT, id: undefined, key: undefined, retry: undefined }).key).toBeUndefined();
  });

  it.each<[string, unknown, string, string]>([
    ['null', null, 'INVALID_REQUEST', 'object'],
    ['an array', [], 'INVALID_REQUEST', 'object'],
    ['a text', 'insert', 'INVALID_REQUEST', 'object'],
    ['an object of a class', new Date(), 'INVALID_REQUEST', 'object'],
    ['no type', { target: 't' }, 'INVALID_REQUEST', 'operationType'],
    ['an unknown type', { ...INSERT, operationType: 'merge' }, 'UNKNOWN_OPERATION_TYPE', '"merge"'],
    ['a type that is no text', { ...INSERT, operationType: 1 }, 'UNKNOWN_OPERATION_TYPE', 'number'],
    ['an unknown field', { ...INSERT, table: 't' }, 'INVALID_REQUEST', '"table"'],
    ['a misspelt field', { ...INSERT, onconflict: 'ignore' }, 'INVALID_REQUEST', '; did you mean "onConflict"?'],
    ['a misspelt type', { ...INSERT, operationType: 'udpate' }, 'UNKNOWN_OPERATION_TYPE', '; did you mean "update"?'],
    ['a misspelt retry', { ...INSERT, retry: { limt: 1 } }, 'INVALID_REQUEST', '; did you mean "limit"?'],
    ['a field named like a method', { ...INSERT, toString: 1 }, 'INVALID_REQUEST', '"toString"'],
    ['__proto__', JSON.parse('{"operationType":"insert","target":"t","__proto__":{}}'), 'INVALID_REQUEST', '__proto__'],
    ['a retry that is no object', { ...INSERT, retry: 3 }, 'INVALID_REQUEST', 'retry is an object'],
    ['a retry with more', { ...INSERT, retry: { limit: 1, on: ['conflict'], delay: 5 } }, 'INVALID_REQUEST', '"delay"'],
    ['a retry without limit', { ...INSERT, retry: { on: ['conflict'] } }, 'INVALID_REQUEST', 'from 1 to 100'],
    ['no retries', { ...INSERT, retry: { limit: 0, on: ['conflict'] } }, 'INVALID_REQUEST', 'from 1 to 100'],
    ['101 retries', { ...INSERT, retry: { limit: 101, on: ['conflict'] } }, 'INVALID_REQUEST', 'from 1 to 100'],
    ['half a retry', { ...INSERT, retry: { limit: 1.5, on: ['conflict'] } }, 'INVALID_REQUEST', 'from 1 to 100'],
    ['a retry on nothing', { ...INSERT, retry: { limit: 1, on: [] } }, 'INVALID_REQUEST', 'one or more'],
    ['a retry on a text', { ...INSERT, retry: { limit: 1, on: 'conflict' } }, 'INVALID_REQUEST', 'one or more'],
    ['a retry on anything', { ...INSERT, retry: { limit: 1, on: ['luck'] } }, 'INVALID_REQUEST', 'missing_parent'],
    [
      'a retry on the same twice',
      { ...INSERT, retry: { limit: 1, on: ['conflict', 'conflict'] } },
      'INVALID_REQUEST',
      'different',
    ],
    [
      'a retry on a missing row that need not exist',
      { ...UPDATE, retry: { limit: 1, on: ['missing_row'] } },
      'INVALID_REQUEST',
      'mustExist: true',
    ],
    [
      'a retry on a missing row of an insert',
      { ...INSERT, retry: { limit: 1, on: ['missing_row'] } },
      'INVALID_REQUEST',
      'update, increment and delete',
    ],
    ['an id that is no UUID', { ...INSERT, id: '7' }, 'INVALID_ID', 'UUID'],
    ['an id with braces', { ...INSERT, id: `{${ID}}` }, 'INVALID_ID', 'UUID'],
    ['an id of null', { ...INSERT, id: null }, 'INVALID_ID', 'UUID'],
    ['no target', { operationType: 'insert' }, 'INVALID_REQUEST', 'target'],
    ['an empty target', { ...INSERT, target: '' }, 'INVALID_REQUEST', 'target'],
    ['a target of 201 characters', { ...INSERT, target: 'x'.repeat(201) }, 'INVALID_REQUEST', 'target'],
    ['a target that is no text', { ...INSERT, target: ['t'] }, 'INVALID_REQUEST', 'target'],
    ['a key of an insert', { ...INSERT, key: { id: 1 } }, 'INVALID_REQUEST', 'key has no meaning for insert'],
    [
      'values of a delete',
      { ...UPDATE, operationType: 'delete' },
      'INVALID_REQUEST',
      'values has no meaning for delete',
    ],
    ['mustExist of an insert', { ...INSERT, mustExist: true }, 'INVALID_REQUEST', 'mustExist'],
    ['onConflict of an update', { ...UPDATE, onConflict: 'ignore' }, 'INVALID_REQUEST', 'onConflict'],
    ['conflictKey of an insert', { ...INSERT, conflictKey: ['a'] }, 'INVALID_REQUEST', 'conflictKey'],
    ['a key of null', { ...UPDATE, key: null }, 'INVALID_REQUEST', 'key'],
    ['a key that is a list', { ...UPDATE, key: ['id'] }, 'INVALID_REQUEST', 'key'],
    ['values that are a text', { ...INSERT, values: 'a' }, 'INVALID_REQUEST', 'values'],
    ['another onConflict', { ...INSERT, onConflict: 'update' }, 'INVALID_REQUEST', 'onConflict'],
    ['an empty conflictKey', { ...INSERT, operationType: 'upsert', conflictKey: [] }, 'INVALID_REQUEST', 'conflictKey'],
    [
      'a conflictKey twice',
      { ...INSERT, operationType: 'upsert', conflictKey: ['a', 'a'] },
      'INVALID_REQUEST',
      'conflictKey',
    ],
    [
      'a conflictKey of numbers',
      { ...INSERT, operationType: 'upsert', conflictKey: [1] },
      'INVALID_REQUEST',
      'conflictKey',
    ],
    ['mustExist as text', { ...UPDATE, mustExist: 'true' }, 'INVALID_REQUEST', 'mustExist'],
    ['priority 10', { ...INSERT, priority: 10 }, 'INVALID_REQUEST', 'priority'],
    ['priority -1', { ...INSERT, priority: -1 }, 'INVALID_REQUEST', 'priority'],
    ['priority 1.5', { ...INSERT, priority: 1.5 }, 'INVALID_REQUEST', 'priority'],
    ['priority as text', { ...INSERT, priority: '1' }, 'INVALID_REQUEST', 'priority'],
    ['a source with a dot', { ...INSERT, source: 'a.b' }, 'INVALID_REQUEST', 'source'],
    ['an empty source', { ...INSERT, source: '' }, 'INVALID_REQUEST', 'source'],
    ['a source of 101 characters', { ...INSERT, source: 'x'.repeat(101) }, 'INVALID_REQUEST', 'source'],
    ['a time without zone', { ...INSERT, runAt: '2030-07-01T12:00:00' }, 'INVALID_REQUEST', 'runAt'],
    ['a date', { ...INSERT, runAt: '2030-07-01' }, 'INVALID_REQUEST', 'runAt'],
    ['a time of February 30', { ...INSERT, runAt: '2031-02-30T12:00:00Z' }, 'INVALID_REQUEST', 'runAt'],
    ['a time of hour 25', { ...INSERT, runAt: '2031-02-01T25:00:00Z' }, 'INVALID_REQUEST', 'runAt'],
    ['a time as number', { ...INSERT, runAt: 1_900_000_000_000 }, 'INVALID_REQUEST', 'runAt'],
    ['a time in eleven years', { ...INSERT, runAt: '2041-06-16T12:00:00Z' }, 'INVALID_REQUEST', 'runAt'],
    ['a time before 1970', { ...INSERT, runAt: '0000-01-01T00:00:00Z' }, 'INVALID_REQUEST', 'runAt'],
    ['NUL in a value', { ...INSERT, values: { name: 'a\0b' } }, 'INVALID_VALUE', '"name"'],
    ['half a surrogate pair in a value', { ...INSERT, values: { name: '\ud83d' } }, 'INVALID_VALUE', '"name"'],
    ['NUL deep in a document', { ...INSERT, values: { doc: [{ x: ['\0'] }] } }, 'INVALID_VALUE', '"doc"'],
    ['NUL in a name of a document', { ...INSERT, values: { doc: { 'a\0': 1 } } }, 'INVALID_VALUE', '"doc"'],
    ['NUL in a key', { ...UPDATE, key: { id: '\0' } }, 'INVALID_VALUE', '"id"'],
    ['NaN', { ...INSERT, values: { n: NaN } }, 'INVALID_VALUE', '"n"'],
    ['a number that overflowed', { ...INSERT, values: JSON.parse('{"n":1e400}') }, 'INVALID_VALUE', '"n"'],
    ['undefined as value', { ...INSERT, values: { n: undefined } }, 'INVALID_VALUE', '"n"'],
    ['a Date as value', { ...INSERT, values: { at: new Date() } }, 'INVALID_VALUE', '"at"'],
    ['101 levels', { ...INSERT, values: { doc: nested(101) } }, 'INVALID_VALUE', 'levels'],
    ['a million levels', { ...INSERT, values: { doc: nested(1_000_000) } }, 'INVALID_VALUE', 'levels'],
    ['more than fits', { ...INSERT, values: { a: 'x'.repeat(65_536) } }, 'PAYLOAD_TOO_LARGE', 'BATCH_MAX_OPERATION_KB'],
  ])('refuses %s', (_, request, code, mention) => {
    const error = refused(request);
    expect(error.code).toBe(code);
    expect(error.message).toContain(mention);
  });

  it.each<[string, unknown]>([
    ['an emoji', { ...INSERT, values: { name: '😀' } }],
    ['100 levels', { ...INSERT, values: { doc: nested(100) } }],
    [
      '__proto__ as a column, which the table will not have',
      JSON.parse('{"operationType":"insert","target":"t","values":{"__proto__":1}}'),
    ],
    ['a time that is over', { ...INSERT, runAt: '2001-01-01T00:00:00.123456-05:30' }],
    ['February 29', { ...INSERT, runAt: '2032-02-29T23:59:59Z' }],
    ['an object without prototype', Object.assign(Object.create(null) as object, INSERT)],
    ['exactly as much as fits', { ...INSERT, values: { a: 'x'.repeat(65_536 - '{"a":""}'.length) } }],
  ])('takes %s', (_, request) => {
    expect(parse(request)).not.toBeInstanceOf(ServiceError);
  });

  it('counts bytes, not characters', () => {
    expect(parse({ ...INSERT, values: { a: 'é'.repeat(600) } }, 1)).toMatchObject({ code: 'PAYLOAD_TOO_LARGE' });
    expect(parse({ ...INSERT, values: { a: 'e'.repeat(600) } }, 1)).not.toBeInstanceOf(ServiceError);
  });

  it('leaves the prototype of its answer alone', () => {
    const parsed = accepted(
      JSON.parse('{"operationType":"insert","target":"t","values":{"__proto__":{"polluted":1}}}'),
    );
    expect(JSON.stringify(parsed.values)).toBe('{"__proto__":{"polluted":1}}');
    expect(({} as Record<string, unknown>).polluted).toBeUndefined();
  });
});
