import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { ICreateBatchOperationRequest } from '../../src/interfaces/operation.js';
import type { ColumnKind, Table } from '../../src/services/catalog/table.js';
import { ServiceError } from '../../src/services/errors/service-error.js';
import { checkOperation } from '../../src/services/intake/check-operation.js';
import { NearestNames } from '../../src/services/intake/nearest-names.js';
import { parseRequest } from '../../src/services/intake/parse-request.js';
import type { NewOperation } from '../../src/services/queue/new-operation.js';
import { column, table, uniqueKey } from '../support/table.js';

const COLUMNS: [string, ColumnKind][] = [
  ['id', 'int8'],
  ['shop', 'int4'],
  ['number', 'text'],
  ['customer_id', 'int4'],
  ['amount', 'numeric'],
  ['count', 'int2'],
  ['weight', 'float'],
  ['note', 'text'],
  ['rank', 'int4'],
];

const ORDERS: Table = table(
  'orders',
  [...COLUMNS.map(([name, kind]) => column(name, kind)), column('serial', 'int8', { writable: false })],
  {
    uniqueKeys: [
      uniqueKey(['id'], { primary: true }),
      uniqueKey(['shop', 'number']),
      uniqueKey(['rank'], { deferrable: true }),
      uniqueKey(['serial']),
    ],
  },
);

const ID = '018f6f4e-7c1a-7cc0-9d3b-2f6c5a1e8b4d';

const check = (request: Omit<ICreateBatchOperationRequest, 'target'>, target = ORDERS): NewOperation | ServiceError => {
  const parsed = parseRequest({ target: 'orders', ...request }, { maxOperationKb: 64, now: new Date() });
  if (parsed instanceof ServiceError) throw parsed;
  return checkOperation(parsed, target, new NearestNames());
};

describe('checkOperation', () => {
  it.each<[string, Omit<ICreateBatchOperationRequest, 'target'>, object]>([
    [
      'an insert',
      { operationType: 'insert', values: { id: 1, note: null } },
      {
        shape: {
          keyColumns: null,
          valueColumns: ['id', 'note'],
          onConflict: 'error',
          conflictKey: null,
          target: 'public.orders',
        },
        row: '[1,null]',
      },
    ],
    [
      'an upsert by the primary key',
      { operationType: 'upsert', values: { id: 1, note: 'x' } },
      { shape: { conflictKey: ['id'], onConflict: null } },
    ],
    [
      'an upsert by another key, in any order',
      { operationType: 'upsert', values: { number: 'a', shop: 1 }, conflictKey: ['number', 'shop'] },
      { shape: { conflictKey: ['number', 'shop'], valueColumns: ['shop', 'number'] }, row: '[1,"a"]' },
    ],
    [
      'an update that changes its own key',
      { operationType: 'update', key: { id: '1' }, values: { id: 2 }, mustExist: true },
      { shape: { keyColumns: ['id'], valueColumns: ['id'], onConflict: null, mustExist: true }, row: '["1",2]' },
    ],
    [
      'a key that the database generates',
      { operationType: 'delete', key: { serial: 1 } },
      { shape: { keyColumns: ['serial'], valueColumns: null }, row: '[1]' },
    ],
    ['a key under a deferrable constraint', { operationType: 'delete', key: { rank: 1 } }, { row: '[1]' }],
    ['a key of two columns in any order', { operationType: 'delete', key: { number: 'a', shop: 1 } }, {}],
    [
      'an increment of all numeric types',
      { operationType: 'increment', key: { id: 1 }, values: { amount: '0.01', count: -1, weight: 0.5, shop: 1 } },
      {
        shape: { keyColumns: ['id'], valueColumns: ['shop', 'amount', 'count', 'weight'] },
        row: '[1,1,"0.01",-1,0.5]',
      },
    ],
  ])('takes %s', (_, request, expected) => {
    expect(check(request)).toMatchObject(expected);
  });

  it('takes an insert that ignores conflicts, where every constraint is checked at once', () => {
    const immediate = { ...ORDERS, uniqueKeys: ORDERS.uniqueKeys.filter(({ deferrable }) => !deferrable) };
    const request = { operationType: 'insert', values: { id: 1 }, onConflict: 'ignore' } as const;
    expect(check(request, immediate)).toMatchObject({ shape: { onConflict: 'ignore' } });
  });

  it.each<[string, Omit<ICreateBatchOperationRequest, 'target'>, string, string]>([
    [
      'an unknown column',
      { operationType: 'insert', values: { nope: 1 } },
      'UNKNOWN_COLUMN',
      'public.orders has no column "nope"',
    ],
    [
      'a misspelt column',
      { operationType: 'insert', values: { amuont: 1 } },
      'UNKNOWN_COLUMN',
      'did you mean "amount"?',
    ],
    [
      'another spelling',
      { operationType: 'insert', values: { customerId: 1 } },
      'UNKNOWN_COLUMN',
      'did you mean "customer_id"?',
    ],
    ['a column in capitals', { operationType: 'insert', values: { ID: 1 } }, 'UNKNOWN_COLUMN', 'did you mean "id"?'],
    ['an unknown key column', { operationType: 'delete', key: { nr: 1 } }, 'UNKNOWN_COLUMN', '"nr"'],
    [
      'an unknown conflict column',
      { operationType: 'upsert', values: { id: 1 }, conflictKey: ['idd'] },
      'UNKNOWN_COLUMN',
      '"idd"',
    ],
    ['a generated column', { operationType: 'insert', values: { serial: 1 } }, 'COLUMN_NOT_WRITABLE', '"serial"'],
    [
      'null for a generated column',
      { operationType: 'insert', values: { serial: null } },
      'COLUMN_NOT_WRITABLE',
      '"serial"',
    ],
    [
      'an increment of a generated column',
      { operationType: 'increment', key: { id: 1 }, values: { serial: 1 } },
      'COLUMN_NOT_WRITABLE',
      '"serial"',
    ],
    [
      'an update without key',
      { operationType: 'update', values: { note: 'x' } },
      'KEY_REQUIRED',
      '(id), (shop, number)',
    ],
    ['a delete with an empty key', { operationType: 'delete', key: {} }, 'KEY_REQUIRED', '(id)'],
    [
      'a key that is not unique',
      { operationType: 'delete', key: { note: 'x' } },
      'KEY_NOT_UNIQUE',
      '(note) is no primary key',
    ],
    ['half a key', { operationType: 'delete', key: { shop: 1 } }, 'KEY_NOT_UNIQUE', '(id), (shop, number)'],
    ['more than a key', { operationType: 'delete', key: { id: 1, shop: 1 } }, 'KEY_NOT_UNIQUE', '(id, shop)'],
    ['null in a key', { operationType: 'delete', key: { shop: 1, number: null } }, 'INVALID_VALUE', '"number"'],
    ['a key of a wrong type', { operationType: 'delete', key: { id: 'x' } }, 'INVALID_VALUE', '"id"'],
    ['an insert without values', { operationType: 'insert' }, 'VALUES_REQUIRED', 'insert'],
    ['an insert with empty values', { operationType: 'insert', values: {} }, 'VALUES_REQUIRED', 'insert'],
    [
      'an update with empty values',
      { operationType: 'update', key: { id: 1 }, values: {} },
      'VALUES_REQUIRED',
      'update',
    ],
    ['an increment without values', { operationType: 'increment', key: { id: 1 } }, 'VALUES_REQUIRED', 'increment'],
    [
      'an upsert without its key',
      { operationType: 'upsert', values: { note: 'x' } },
      'KEY_REQUIRED',
      '"id" is missing',
    ],
    ['an upsert with null in its key', { operationType: 'upsert', values: { id: null } }, 'INVALID_VALUE', '"id"'],
    [
      'an upsert by what is not unique',
      { operationType: 'upsert', values: { note: 'x' }, conflictKey: ['note'] },
      'KEY_NOT_UNIQUE',
      '(note)',
    ],
    [
      'an upsert by a deferrable constraint',
      { operationType: 'upsert', values: { rank: 1 }, conflictKey: ['rank'] },
      'KEY_NOT_UNIQUE',
      'deferrable',
    ],
    [
      'an ignored conflict on a table with a deferrable constraint',
      { operationType: 'insert', values: { id: 1 }, onConflict: 'ignore' },
      'NOT_SUPPORTED',
      'deferrable',
    ],
    [
      'an increment of text',
      { operationType: 'increment', key: { id: 1 }, values: { note: 1 } },
      'INVALID_VALUE',
      'numeric',
    ],
    [
      'an increment by null',
      { operationType: 'increment', key: { id: 1 }, values: { count: null } },
      'INVALID_VALUE',
      'null',
    ],
    [
      'an increment of the key',
      { operationType: 'increment', key: { id: 1 }, values: { id: 1 } },
      'INVALID_VALUE',
      'key',
    ],
    [
      'an increment beyond the type',
      { operationType: 'increment', key: { id: 1 }, values: { count: 40_000 } },
      'VALUE_OUT_OF_RANGE',
      '-32768 to 32767',
    ],
    ['a value of a wrong type', { operationType: 'insert', values: { amount: 'much' } }, 'INVALID_VALUE', '"amount"'],
    [
      'a value out of range',
      { operationType: 'update', key: { id: 1 }, values: { count: 40_000 } },
      'VALUE_OUT_OF_RANGE',
      '"count"',
    ],
  ])('refuses %s', (_, request, code, mention) => {
    const error = check(request);
    expect(error).toBeInstanceOf(ServiceError);
    expect(error).toMatchObject({ code, details: { target: 'public.orders' } });
    expect((error as ServiceError).message).toContain(mention);
  });

  it('refuses columns that every object inherits', () => {
    for (const name of ['__proto__', 'constructor', 'toString']) {
      const values = JSON.parse(`{"${name}": 1}`) as ICreateBatchOperationRequest['values'];
      expect(check({ operationType: 'insert', values })).toMatchObject({ code: 'UNKNOWN_COLUMN' });
    }
  });

  it('wants a conflictKey where there is no primary key', () => {
    const keyless = { ...ORDERS, uniqueKeys: ORDERS.uniqueKeys.filter((key) => !key.primary) };
    expect(check({ operationType: 'upsert', values: { id: 1 } }, keyless)).toMatchObject({ code: 'KEY_REQUIRED' });
    expect(check({ operationType: 'upsert', values: { id: 1 } }, { ...keyless, uniqueKeys: [] })).toMatchObject({
      code: 'KEY_REQUIRED',
      message: expect.stringContaining('has no unique keys') as string,
    });
  });

  it('compares an unknown column with the others only for who wants a hint', () => {
    const parsed = parseRequest(
      { operationType: 'insert', target: 'orders', values: { amuont: 1 } },
      { maxOperationKb: 64, now: new Date() },
    );
    if (parsed instanceof ServiceError) throw parsed;
    const plain = checkOperation(parsed, ORDERS) as ServiceError;
    expect(plain).toMatchObject({ code: 'UNKNOWN_COLUMN', details: { target: 'public.orders', column: 'amuont' } });
    expect(plain.details).not.toHaveProperty('nearest');
    expect(checkOperation(parsed, ORDERS, new NearestNames())).toMatchObject({
      code: 'UNKNOWN_COLUMN',
      message: `${plain.message}; did you mean "amount"?`,
      details: { target: 'public.orders', column: 'amuont', nearest: 'amount' },
    });
  });

  it('says little about a name that is a book', () => {
    const values = Object.fromEntries([['x'.repeat(1_000_000), 1]]);
    const parsed = parseRequest(
      { operationType: 'insert', target: 't', values },
      { maxOperationKb: 2000, now: new Date() },
    );
    if (parsed instanceof ServiceError) throw parsed;
    const error = checkOperation(parsed, ORDERS, new NearestNames()) as ServiceError;
    expect(error.code).toBe('UNKNOWN_COLUMN');
    expect(error.message.length).toBeLessThan(300);
  });

  it('decides the same whether a request with the same names came before or not', () => {
    const odd = fc.constantFrom(null, 'a', 1.5, 70_000, { a: 1 }, [1], true);
    const usual = { id: fc.constant(1), shop: fc.constant(2), number: fc.constant('n'), amount: fc.constant('7') };
    const strange = { count: odd, rank: fc.constant(3), serial: fc.constant(4), nowhere: odd, note: odd, weight: odd };
    const row = fc.oneof(
      { weight: 4, arbitrary: fc.record(usual, { requiredKeys: ['id'] }) },
      { weight: 2, arbitrary: fc.record({ shop: usual.shop, number: fc.constantFrom('n', null, 3) }) },
      { weight: 1, arbitrary: fc.record({ ...usual, ...strange }, { requiredKeys: [] }) },
    );
    const key = fc.oneof(fc.record({ id: usual.id }), row);
    const of = <T extends object>(operationType: string, fields: T) =>
      fc.record({ operationType: fc.constant(operationType), ...fields });
    const mustExist = fc.constantFrom(undefined, true);
    const conflictKey = fc.constantFrom(undefined, ['id'], ['shop', 'number'], ['number', 'shop'], ['rank']);
    const requests = fc.oneof(
      of('insert', { values: row, onConflict: fc.constantFrom(undefined, 'error') }),
      of('upsert', { values: row, conflictKey }),
      of('update', { key, values: row, mustExist }),
      of('increment', { key, values: fc.oneof(fc.record({ amount: usual.amount }), row) }),
      of('delete', { key, mustExist }),
    );
    const kinds = new Set<string>();
    fc.assert(
      fc.property(fc.array(requests, { maxLength: 20 }), (list) => {
        const known: Table = { ...ORDERS };
        for (const request of [...list, ...list]) {
          const parsed = parseRequest(
            { target: 'orders', id: ID, ...request },
            { maxOperationKb: 64, now: new Date() },
          );
          if (parsed instanceof ServiceError) continue;
          const first = checkOperation(parsed, { ...ORDERS });
          kinds.add(first instanceof ServiceError ? first.code : `${request.operationType} accepted`);
          expect(checkOperation(parsed, known)).toEqual(first);
        }
      }),
      { numRuns: 1000 },
    );
    for (const type of ['insert', 'upsert', 'update', 'increment', 'delete'])
      expect(kinds).toContain(`${type} accepted`);
    for (const code of ['INVALID_VALUE', 'KEY_REQUIRED', 'KEY_NOT_UNIQUE', 'UNKNOWN_COLUMN', 'COLUMN_NOT_WRITABLE'])
      expect(kinds).toContain(code);
  });

  it('is not deceived by a name with NUL, which looks like two names of an accepted request', () => {
    const documents = table('documents', [column('id', 'int4'), column('a', 'json'), column('b', 'json')], {
      uniqueKeys: [uniqueKey(['id'], { primary: true }), uniqueKey(['a', 'b'])],
    });
    const insert = (values: Record<string, unknown>) =>
      check({ operationType: 'insert', values: values as never }, documents);
    const upsert = (conflictKey: string[]) =>
      check({ operationType: 'upsert', values: { id: 1, a: {}, b: {} }, conflictKey }, documents);
    expect(insert({ id: 1, a: {}, b: {} })).not.toBeInstanceOf(ServiceError);
    expect(insert({ id: 1, a: {}, b: {} })).not.toBeInstanceOf(ServiceError);
    expect(insert({ id: 2, 'a\0b': 1 })).toMatchObject({ code: 'UNKNOWN_COLUMN' });
    expect(upsert(['a', 'b'])).not.toBeInstanceOf(ServiceError);
    expect(upsert(['a', 'b'])).not.toBeInstanceOf(ServiceError);
    expect(upsert(['a\0b'])).toMatchObject({ code: 'UNKNOWN_COLUMN' });
  });
});
