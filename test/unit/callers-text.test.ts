import { describe, expect, it } from 'vitest';
import { plainToInstance } from 'class-transformer';
import { validateSync } from 'class-validator';
import { ChunkIdDto, LaneDto, OperationIdDto } from '../../src/controllers/dto/ids.dto.js';
import { identify } from '../../src/controllers/rpc/stable-identity.js';
import { RPC_PATTERNS } from '../../src/interfaces/rpc.js';
import { parseApiKey } from '../../src/services/access/api-key.js';
import { parseTargetName } from '../../src/services/catalog/target-name.js';
import type { Column, ColumnKind } from '../../src/services/catalog/table.js';
import { encodeValue } from '../../src/services/composer/encode-value.js';
import { toOperationError } from '../../src/services/executor/to-operation-error.js';
import { checkValue } from '../../src/services/intake/check-value.js';
import { nearestName } from '../../src/services/errors/nearest-name.js';
import { parseRequest } from '../../src/services/intake/parse-request.js';
import { requestIdFrom } from '../../src/services/observability/request-context.js';
import { checkCursor } from '../../src/services/outcomes/cursor.js';
import { comparable } from '../../src/services/planner/comparable.js';
import { addDecimals, formatDecimal, parseDecimal } from '../../src/services/planner/decimal.js';
import { isDate, isLegal } from '../../src/services/planner/legal-value.js';
import { parseJson } from '../../src/services/values/parse-json.js';
import { roundTrips } from '../../src/services/values/round-trips.js';
import { column, table } from '../support/table.js';
import { firstSlow } from '../support/pathological.js';
import { insert } from './support/planning.js';

const COLUMNS: Column[] = [
  ...(['int2', 'int4', 'int8', 'numeric', 'float', 'boolean', 'uuid', 'text'] satisfies ColumnKind[]),
  ...(['date', 'enum', 'json', 'array', 'other'] satisfies ColumnKind[]),
].map((kind) => column(kind, kind));
COLUMNS.push(
  column('varchar', 'varchar', { maxLength: 10 }),
  column('bpchar', 'bpchar', { maxLength: 100_000 }),
  column('timestamp', 'other', { type: 'timestamp with time zone' }),
  column('exact', 'numeric', { precision: { digits: 6, scale: 2 } }),
);

const CONTEXT = { maxOperationKb: 1024, now: new Date() };
const REQUEST = { operationType: 'insert', target: 'things', values: { id: 1 } };
const FIELDS: [field: string, request: (text: string) => unknown][] = [
  ...['id', 'operationType', 'target', 'runAt', 'source', 'onConflict'].map(
    (field): [string, (text: string) => unknown] => [field, (text) => ({ ...REQUEST, [field]: text })],
  ),
  ['conflictKey', (text) => ({ ...REQUEST, operationType: 'upsert', conflictKey: [text] })],
  ['retry.on', (text) => ({ ...REQUEST, retry: { limit: 1, on: [text] } })],
  ['a column', (text) => ({ ...REQUEST, values: { [text]: text } })],
  ['a field that does not exist', (text) => ({ ...REQUEST, [text]: 1 })],
];

const NAMES: [name: string, read: (text: string) => unknown][] = [
  ['the id of an operation', (text) => validateSync(plainToInstance(OperationIdDto, { id: text }))],
  ['the number of a chunk', (text) => validateSync(plainToInstance(ChunkIdDto, { id: text }))],
  ['a lane', (text) => validateSync(plainToInstance(LaneDto, { lane: text }))],
  ['a cursor', (text) => refused(() => checkCursor(text))],
  ['a target', parseTargetName],
  ['JSON beside what is written of it', (text) => roundTrips(JSON.stringify(text).replaceAll('é', '\\u00e9'), text)],
  ['JSON that is none', (text) => refused(() => parseJson(text))],
  [
    'a string beside an exact number',
    (text) => parseJson(`{"values":{${JSON.stringify(text)}:[${JSON.stringify(text)},1.0]}}`),
  ],
  [
    'an exact number',
    (text) => parseJson(`{"values":{"n":1${text.replace(/\D/g, '')}.0},"n":1${text.replace(/\D/g, '')}.0}`),
  ],
  ['a request id', requestIdFrom],
  ['an API key', (text) => parseApiKey(text)],
  ['a message id', (text) => identify({ pattern: RPC_PATTERNS.createOperation, id: 1, data: {} }, text)],
  [
    'a column that does not exist',
    (text) => nearestName(text.slice(0, 63), ['customer_id', 'quantity', 'x'.repeat(63)]),
  ],
];

const things = table('things', [
  column('id', 'int4'),
  column('name', 'varchar', { maxLength: 5 }),
  column('n', 'numeric'),
]);
const OPERATIONS = [insert(things, { id: 1, name: 'a', n: '5' }), insert(things, { id: 2, name: null, n: null })];

/** Errors of PostgreSQL quote what callers sent; a function of a user's may raise anything. */
const ERRORS: [name: string, around: (text: string) => string][] = [
  ['as it is', (text) => text],
  ['as a literal', (text) => `invalid input syntax for type numeric: "${text}"`],
  ['as a key', (text) => `Key (id)=(${text}) already exists.`],
  ['as the name of a key', (text) => `Key (${text})=(1) already exists.`],
  ['as a row', (text) => `Failing row contains (1, ${text}).`],
];

describe('the time that a text of a caller takes grows with its length', () => {
  it.each(COLUMNS.map((each) => [each.name, each] as const))('as a value for a column of kind %s', (_, on) => {
    expect(firstSlow((text) => checkValue(on, text))).toBeUndefined();
    expect(firstSlow((text) => comparable(text, on))).toBeUndefined();
    expect(firstSlow((text) => isLegal(text, on))).toBeUndefined();
    expect(firstSlow((text) => encodeValue([text, [text]], on))).toBeUndefined();
  });

  // The largest operation that may be configured has 16 MiB. An expression with groups that repeat runs out of stack there.
  it.each(['1_', '0x_f', ' '])('as a value of 16 MiB of %j', (unit) => {
    const text = unit.repeat((16 * 1024 * 1024) / unit.length);
    for (const on of COLUMNS.filter(({ kind }) => ['int4', 'numeric', 'float', 'bpchar'].includes(kind))) {
      expect(() => [checkValue(on, text), comparable(text, on), isLegal(text, on)], on.name).not.toThrow();
    }
  });

  it.each(FIELDS)('as %s of a request', (_, request) => {
    expect(firstSlow((text) => parseRequest(request(text), CONTEXT))).toBeUndefined();
  });

  it.each(NAMES)('as %s', (_, read) => {
    expect(firstSlow(read)).toBeUndefined();
  });

  it('as a date, and as a number that is added', () => {
    expect(firstSlow(isDate)).toBeUndefined();
    const add = (text: string): unknown => {
      const decimal = parseDecimal(text);
      return decimal && formatDecimal(addDecimals(decimal, { digits: 1n, scale: 3 }));
    };
    expect(firstSlow(add)).toBeUndefined();
  });

  it.each(ERRORS)('in an error of the database, %s', (_, around) => {
    for (const code of ['22P02', '22001', '22003', '23502', '23505', '23514']) {
      const slow = firstSlow(
        (text) => [toOperationError({ code, message: text, detail: text }, OPERATIONS[0]!)],
        around,
      );
      expect(slow, code).toBeUndefined();
    }
  });
});

function refused(read: () => unknown): unknown {
  try {
    return read();
  } catch (error) {
    return error;
  }
}
