import * as fc from 'fast-check';

/** What a run may write to; the identifiers of the second are as bad as PostgreSQL allows. */
export const ODD_TABLE = `od"d 't; --`;
export const ODD_COLUMN = `va"l $1 \\ %s`;
export const SCHEMA = `
  create table items (id bigint primary key, name text, amount numeric, tags jsonb, at timestamptz, flag boolean, raw bytea);
  create table ${quoted(ODD_TABLE)} (id bigint primary key, ${quoted(ODD_COLUMN)} text);
  create schema private;
  create table private.secrets (id int primary key, secret text);
  insert into private.secrets values (1, 'untouched');
`;

export function quoted(identifier: string): string {
  return `"${identifier.replaceAll('"', '""')}"`;
}

/** Every hostile text has one, so that it is found wherever it does not belong. */
export const MARK = /fz[0-9a-f]{8}/;

const mark = fc.integer({ min: 0, max: 0xffffffff }).map((n) => `fz${n.toString(16).padStart(8, '0')}`);

const HOSTILE = [
  `'; drop table secrets; --`,
  `"; drop table secrets; --`,
  `') returning (select secret from secrets) --`,
  '$1',
  '$$; drop table secrets; $$',
  `\\'; drop table secrets; --`,
  `E'\\x27'`,
  '{"a": 1}',
  '{1,2,NULL}',
  '\u0000',
  'half\ud800',
  '\udc00half',
  '\uffff\ufeff',
  '\u202etxet\u202c',
  'e\u0301\u{1f469}\u200d\u{1f4bb}',
  '../../../etc/passwd',
  '%00%27',
  '${7*7}',
  '<script>',
  '\r\nX-Injected: yes',
  'public.items"',
  'items; select pg_sleep(30)',
  'NaN',
  'Infinity',
  '1e400',
];
const PLAIN = [
  '',
  ' ',
  '__proto__',
  'constructor',
  'prototype',
  'toString',
  'hasOwnProperty',
  'null',
  '-0',
  '1',
  'true',
];

const longText = fc
  .tuple(mark, fc.constantFrom(64, 300, 5000, 100_000))
  .map(([text, length]) => text.padEnd(length, 'x'));

export const hostileText: fc.Arbitrary<string> = fc.oneof(
  { weight: 6, arbitrary: fc.tuple(fc.constantFrom(...HOSTILE), mark).map((parts) => parts.join('')) },
  { weight: 2, arbitrary: fc.constantFrom(...PLAIN) },
  { weight: 1, arbitrary: fc.tuple(fc.string({ unit: 'binary', maxLength: 40 }), mark).map((parts) => parts.join('')) },
  { weight: 1, arbitrary: longText },
);

/** Deep enough for every limit on nesting, from just below it. */
const nested = fc.integer({ min: 90, max: 200 }).map((depth) => {
  let value: unknown = 1;
  for (let level = 0; level < depth; level += 1) value = level % 2 === 0 ? [value] : { a: value };
  return value;
});

export const anyJson: fc.Arbitrary<unknown> = fc.oneof(
  { weight: 3, arbitrary: fc.jsonValue({ maxDepth: 3 }) },
  { weight: 3, arbitrary: hostileText },
  {
    weight: 2,
    arbitrary: fc.dictionary(hostileText, fc.oneof(hostileText, fc.jsonValue({ maxDepth: 1 })), { maxKeys: 4 }),
  },
  { weight: 1, arbitrary: fc.array(hostileText, { maxLength: 5 }) },
  { weight: 1, arbitrary: nested },
);

const number = fc.constantFrom(0, -0, 1, -1, 2 ** 31, 2 ** 53, 2 ** 63, 1e308, 5e-324, 0.1);
const cell = fc.oneof(
  { weight: 3, arbitrary: anyJson },
  { weight: 2, arbitrary: number },
  { weight: 1, arbitrary: fc.constant(null) },
);

/** Mostly what an operation expects, else anything. */
function mostly<T>(expected: fc.Arbitrary<T>, weight = 8): fc.Arbitrary<unknown> {
  return fc.oneof({ weight, arbitrary: expected }, { weight: 1, arbitrary: anyJson });
}

const column = fc.oneof(
  { weight: 8, arbitrary: fc.constantFrom('id', 'name', 'amount', 'tags', 'at', 'flag', 'raw', ODD_COLUMN) },
  { weight: 1, arbitrary: hostileText },
);
const rowOf = (cells: fc.Arbitrary<unknown>) => fc.dictionary(column, cells, { minKeys: 1, maxKeys: 4 });
const key = fc.oneof(
  { weight: 3, arbitrary: fc.record({ id: fc.integer({ min: 0, max: 20 }) }) },
  { weight: 1, arbitrary: rowOf(cell) },
);
const values = fc.oneof(
  { weight: 2, arbitrary: fc.record({ id: fc.integer({ min: 0, max: 20 }), name: hostileText, tags: anyJson }) },
  { weight: 2, arbitrary: fc.record({ id: fc.integer({ min: 0, max: 20 }), [ODD_COLUMN]: hostileText }) },
  { weight: 2, arbitrary: rowOf(cell) },
);
const target = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.constantFrom('items', 'public.items', ODD_TABLE, quoted(ODD_TABLE), `public.${quoted(ODD_TABLE)}`),
  },
  {
    weight: 2,
    arbitrary: fc.constantFrom(
      'private.secrets',
      'batch.operations',
      'pg_catalog.pg_class',
      'information_schema.tables',
      'a.b.c',
    ),
  },
  { weight: 2, arbitrary: hostileText },
);
const retry = fc.record(
  { limit: fc.integer({ min: -1, max: 1000 }), on: fc.array(fc.constantFrom('MISSING_PARENT', 'nonsense')) },
  { requiredKeys: [] },
);
const time = fc.constantFrom(
  '2020-01-01T00:00:00Z',
  '2030-02-30T00:00:00Z',
  '275760-09-13T00:00:00Z',
  'infinity',
  '2020-01-01',
);

/** So few that many operations meet a row, or miss one. */
const id = fc.integer({ min: 0, max: 3 });
const oddTable = `public.${quoted(ODD_TABLE)}`;
const row = fc.record({ id, name: hostileText, tags: anyJson }, { requiredKeys: ['id', 'name'] });
const oddRow = fc.record({ id, [ODD_COLUMN]: hostileText });
const common = { priority: fc.integer({ min: 0, max: 9 }), source: fc.constantFrom('shop', 'a-b_c') };

function requestOf(
  operationType: string,
  table: string,
  fields: Record<string, fc.Arbitrary<unknown>>,
): fc.Arbitrary<Record<string, unknown>> {
  const model = { operationType: fc.constant(operationType), target: fc.constant(table), ...fields, ...common };
  return fc.record<Record<string, unknown>>(model, {
    requiredKeys: ['operationType', 'target', ...Object.keys(fields)],
  });
}

/** What is refused only for the texts that are its values, if at all. */
const soundOperation = fc.oneof(
  requestOf('insert', 'items', { values: row, onConflict: fc.constantFrom('error', 'ignore') }),
  requestOf('upsert', 'public.items', { values: row, conflictKey: fc.constant(['id']) }),
  requestOf('update', 'items', {
    key: fc.record({ id }),
    values: fc.record({ name: hostileText }),
    mustExist: fc.boolean(),
  }),
  requestOf('increment', 'items', { key: fc.record({ id }), values: fc.record({ amount: fc.integer() }) }),
  requestOf('delete', 'items', { key: fc.record({ id }) }),
  requestOf('insert', oddTable, { values: oddRow }),
  requestOf('upsert', oddTable, { values: oddRow, conflictKey: fc.constant(['id']) }),
  requestOf('update', oddTable, { key: fc.record({ id }), values: fc.record({ [ODD_COLUMN]: hostileText }) }),
);

const FIELDS = [
  'id',
  'operationType',
  'target',
  'key',
  'values',
  'onConflict',
  'conflictKey',
  'mustExist',
  'priority',
  'runAt',
  'retry',
  'source',
];

/** One field is anything, or one that does not exist is there. */
const brokenOperation = fc
  .tuple(soundOperation, fc.oneof({ weight: 9, arbitrary: fc.constantFrom(...FIELDS) }, hostileText), anyJson)
  .map(([sound, field, value]) => Object.fromEntries([...Object.entries(sound), [field, value]]));

/** Every field may be anything. */
const wildOperation = fc.record(
  {
    id: mostly(fc.uuid()),
    operationType: mostly(fc.constantFrom('insert', 'upsert', 'update', 'increment', 'delete')),
    target: mostly(target),
    key: mostly(key),
    values: mostly(values),
    onConflict: mostly(fc.constantFrom('error', 'ignore')),
    conflictKey: mostly(fc.array(column, { maxLength: 3 })),
    mustExist: mostly(fc.boolean()),
    priority: mostly(fc.integer({ min: -1, max: 10 })),
    runAt: mostly(time),
    retry: mostly(retry),
    source: mostly(fc.constantFrom('shop', 'a b', '*', '#')),
  },
  { requiredKeys: ['operationType', 'target'] },
);

export const operation: fc.Arbitrary<unknown> = fc.oneof(
  { weight: 3, arbitrary: soundOperation },
  { weight: 3, arbitrary: brokenOperation },
  { weight: 2, arbitrary: wildOperation },
);

export const operations: fc.Arbitrary<unknown> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ operations: fc.array(fc.oneof(operation, anyJson), { maxLength: 6 }) }) },
  { weight: 1, arbitrary: fc.record({ operations: anyJson }) },
  { weight: 1, arbitrary: fc.record({ operations: fc.constant([]), more: anyJson }) },
  { weight: 1, arbitrary: anyJson },
  { weight: 1, arbitrary: fc.constant({ operations: Array.from({ length: 10_001 }, () => 0) }) },
);

export const operationId: fc.Arbitrary<unknown> = mostly(fc.uuid(), 2);

/** Bytes that are no JSON, nearly JSON, or JSON in another encoding. */
export const wrongBody: fc.Arbitrary<Buffer> = fc.oneof(
  fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes)),
  fc.tuple(operation, fc.nat(), fc.nat(255)).map(([request, at, byte]) => {
    const bytes = Buffer.from(JSON.stringify(request));
    bytes[at % bytes.length] = byte;
    return bytes;
  }),
  operation.map((request) => Buffer.from(JSON.stringify(request), 'utf16le')),
  operation.map((request) => Buffer.from(JSON.stringify(request), 'latin1')),
  operation.map((request) => Buffer.from(`\ufeff${JSON.stringify(request)}`)),
  fc.tuple(operation, fc.nat()).map(([request, at]) => {
    const text = JSON.stringify(request);
    return Buffer.from(text.slice(0, at % text.length));
  }),
  fc.integer({ min: 100, max: 100_000 }).map((depth) => Buffer.from('['.repeat(depth))),
  fc.integer({ min: 100, max: 20_000 }).map((depth) => Buffer.from(`${'{"a":'.repeat(depth)}1${'}'.repeat(depth)}`)),
  fc
    .constantFrom(
      '{"__proto__":{"polluted":true}}',
      '{"a":1,"a":2}',
      '1e999',
      '"\\ud800"',
      'NaN',
      '',
      ' ',
      'nul',
      '[1,]',
    )
    .map((text) => Buffer.from(text)),
);
