import { describe, expect, it } from 'vitest';
import type { ColumnKind } from '../../src/services/catalog/table.js';
import { checkValue } from '../../src/services/intake/check-value.js';
import { ExactJson, type GivenValue } from '../../src/services/values/exact-json.js';
import { column } from '../support/table.js';

const codeOf = (kind: ColumnKind, value: GivenValue) => checkValue(column('c', kind), value)?.code ?? 'ok';

const KINDS: ColumnKind[] = [
  ...(['int2', 'int4', 'int8', 'numeric', 'float', 'boolean', 'uuid', 'text', 'varchar', 'bpchar'] as const),
  ...(['date', 'enum', 'json', 'array', 'other'] as const),
];

describe('checkValue', () => {
  it.each(KINDS)('takes null for %s: whether the column does, the database says', (kind) => {
    expect(codeOf(kind, null)).toBe('ok');
  });

  it.each<[ColumnKind, string, string]>([
    ['int2', '1e2', 'ok'],
    ['int2', '32767.0', 'ok'],
    ['int2', '32768.0', 'VALUE_OUT_OF_RANGE'],
    ['int4', '1.10', 'INVALID_VALUE'],
    ['int4', '-0', 'ok'],
    ['int8', '9007199254740991.0', 'ok'],
    ['int8', '9007199254740993', 'INVALID_VALUE'],
    ['int8', '1e999999999999', 'INVALID_VALUE'],
    ['int8', '1e-999999999999', 'INVALID_VALUE'],
    ['int8', '0e999999999999', 'ok'],
    ['numeric', '1234567890.12345678901234567890', 'ok'],
    ['numeric', '1e131071', 'ok'],
    ['numeric', '1e131072', 'VALUE_OUT_OF_RANGE'],
    ['numeric', '[1.0]', 'INVALID_VALUE'],
    ['float', '1e400', 'ok'],
    ['float', '{"a":1.0}', 'INVALID_VALUE'],
    ['boolean', '1.0', 'INVALID_VALUE'],
    ['uuid', '1.0', 'INVALID_VALUE'],
    ['text', '1.0', 'INVALID_VALUE'],
    ['json', '1e400', 'ok'],
    ['array', '[1.0]', 'ok'],
    ['array', '1.0', 'INVALID_VALUE'],
    ['array', '{"1":1}', 'INVALID_VALUE'],
  ])('%s, exactly %s: %s', (kind, text, expected) => {
    expect(codeOf(kind, new ExactJson(text))).toBe(expected);
  });

  it.each<[ColumnKind, GivenValue, string]>([
    ['int2', 32767, 'ok'],
    ['int2', 32768, 'VALUE_OUT_OF_RANGE'],
    ['int2', -32768, 'ok'],
    ['int2', -32769, 'VALUE_OUT_OF_RANGE'],
    ['int2', '-32769', 'VALUE_OUT_OF_RANGE'],
    ['int4', 2147483647, 'ok'],
    ['int4', 2147483648, 'VALUE_OUT_OF_RANGE'],
    ['int4', '2147483648', 'VALUE_OUT_OF_RANGE'],
    ['int4', '-2147483648', 'ok'],
    ['int4', -0, 'ok'],
    ['int4', 1.5, 'INVALID_VALUE'],
    ['int4', '1.5', 'INVALID_VALUE'],
    ['int4', '1e3', 'INVALID_VALUE'],
    ['int4', '', 'INVALID_VALUE'],
    ['int4', ' ', 'INVALID_VALUE'],
    ['int4', 'abc', 'INVALID_VALUE'],
    ['int4', '1 2', 'INVALID_VALUE'],
    ['int4', '+ 1', 'INVALID_VALUE'],
    ['int4', '\u00a01', 'INVALID_VALUE'],
    ['int4', '\u0661', 'INVALID_VALUE'],
    ['int4', true, 'INVALID_VALUE'],
    ['int4', [1], 'INVALID_VALUE'],
    ['int4', { a: 1 }, 'INVALID_VALUE'],
    ['int4', ' \t\n\v\f\r+0012 \t\n\v\f\r', 'ok'],
    ['int4', `${'0'.repeat(100_000)}7`, 'ok'],
    ['int4', '9'.repeat(1_000_000), 'VALUE_OUT_OF_RANGE'],
    ['int4', '0x7fff_FFFF', 'ok'],
    ['int4', '0x80000000', 'VALUE_OUT_OF_RANGE'],
    ['int4', '-0X80000000', 'ok'],
    ['int4', '0o17', 'ok'],
    ['int4', '0b1_0', 'ok'],
    ['int4', '0x', 'INVALID_VALUE'],
    ['int4', '1_000', 'ok'],
    ['int4', '1__000', 'INVALID_VALUE'],
    ['int4', '_1', 'INVALID_VALUE'],
    ['int8', 2 ** 53 - 1, 'ok'],
    ['int8', 2 ** 53, 'INVALID_VALUE'],
    ['int8', 1e300, 'INVALID_VALUE'],
    ['int8', '9223372036854775807', 'ok'],
    ['int8', '9223372036854775808', 'VALUE_OUT_OF_RANGE'],
    ['int8', '-9223372036854775808', 'ok'],
    ['int8', '-9223372036854775809', 'VALUE_OUT_OF_RANGE'],
    ['numeric', 0.1, 'ok'],
    ['numeric', -(2 ** 53) + 1, 'ok'],
    ['numeric', 2 ** 53, 'ok'],
    ['numeric', 1e300, 'ok'],
    ['numeric', '123456789012345678901234567890.12345', 'ok'],
    ['numeric', '.5', 'ok'],
    ['numeric', '5.', 'ok'],
    ['numeric', '-1.5E+10', 'ok'],
    ['numeric', ' 1 ', 'ok'],
    ['numeric', 'NaN', 'ok'],
    ['numeric', ' -Infinity ', 'ok'],
    ['numeric', '+inf', 'ok'],
    ['numeric', '.', 'INVALID_VALUE'],
    ['numeric', '1e', 'INVALID_VALUE'],
    ['numeric', '1,5', 'INVALID_VALUE'],
    ['numeric', '$1', 'INVALID_VALUE'],
    ['numeric', 'infinit', 'INVALID_VALUE'],
    ['numeric', '', 'INVALID_VALUE'],
    ['numeric', false, 'INVALID_VALUE'],
    ['float', 1e300, 'ok'],
    ['float', '1e400', 'ok'],
    ['float', 'nan', 'ok'],
    ['float', '-infinity', 'ok'],
    ['float', '0x1.8p3', 'ok'],
    ['float', 'x', 'INVALID_VALUE'],
    ['float', true, 'INVALID_VALUE'],
    ['boolean', true, 'ok'],
    ['boolean', false, 'ok'],
    ['boolean', ' TRUE ', 'ok'],
    ['boolean', 'f', 'ok'],
    ['boolean', 'ye', 'ok'],
    ['boolean', 'on', 'ok'],
    ['boolean', 'of', 'ok'],
    ['boolean', '0', 'ok'],
    ['boolean', 'o', 'INVALID_VALUE'],
    ['boolean', 'truee', 'INVALID_VALUE'],
    ['boolean', '', 'INVALID_VALUE'],
    ['boolean', 1, 'INVALID_VALUE'],
    ['uuid', '018f6f4e-7c1a-7cc0-9d3b-2f6c5a1e8b4d', 'ok'],
    ['uuid', '{018F6F4E-7C1A-7CC0-9D3B-2F6C5A1E8B4D}', 'ok'],
    ['uuid', '018f6f4e7c1a7cc09d3b2f6c5a1e8b4d', 'ok'],
    ['uuid', '018f-6f4e-7c1a-7cc0-9d3b-2f6c-5a1e-8b4d', 'ok'],
    ['uuid', '018f6f4e-7c1a-7cc0-9d3b-2f6c5a1e8b4', 'INVALID_VALUE'],
    ['uuid', '{018f6f4e-7c1a-7cc0-9d3b-2f6c5a1e8b4d', 'INVALID_VALUE'],
    ['uuid', ' 018f6f4e-7c1a-7cc0-9d3b-2f6c5a1e8b4d', 'INVALID_VALUE'],
    ['uuid', 7, 'INVALID_VALUE'],
    ['json', 1, 'ok'],
    ['json', 'text', 'ok'],
    ['json', [{ a: [null] }], 'ok'],
    ['array', [], 'ok'],
    ['array', [[1], [2]], 'ok'],
    ['array', '{1,2}', 'ok'],
    ['array', ' [0:1]={1,2}', 'ok'],
    ['array', '1,2', 'INVALID_VALUE'],
    ['array', { 0: 1 }, 'INVALID_VALUE'],
    ['array', 1, 'INVALID_VALUE'],
    ['text', 'x', 'ok'],
    ['text', 1, 'INVALID_VALUE'],
    ['varchar', true, 'INVALID_VALUE'],
    ['bpchar', ['a'], 'INVALID_VALUE'],
    ['date', 20300101, 'INVALID_VALUE'],
    ['date', 'infinity', 'ok'],
    ['date', 'no date at all', 'ok'],
    ['enum', 'unknown label', 'ok'],
    ['enum', 1, 'INVALID_VALUE'],
    ['other', '(1,2)', 'ok'],
    ['other', { a: 1 }, 'INVALID_VALUE'],
  ])('%s %j: %s', (kind, value, code) => {
    expect(codeOf(kind, value)).toBe(code);
  });

  // The bounds are PostgreSQL's own: test/integration/intake-check-value.test.ts holds them against it.
  it.each([
    ['as many digits as numeric holds', '9'.repeat(131_072), 'ok'],
    ['one more', '9'.repeat(131_073), 'VALUE_OUT_OF_RANGE'],
    ['zeros before the first digit', `-${'0'.repeat(200_000)}1`, 'ok'],
    ['as many digits after the point', `0.${'1'.repeat(16_383)}`, 'ok'],
    ['one more after the point', `0.${'1'.repeat(16_384)}`, 'VALUE_OUT_OF_RANGE'],
    ['the greatest exponent', '1e131071', 'ok'],
    ['a greater one', '1e131072', 'VALUE_OUT_OF_RANGE'],
    ['the same with underscores', '1_0e1_31071', 'VALUE_OUT_OF_RANGE'],
    ['a greater one that zeros make good', '0.0001e131075', 'ok'],
    ['a greater one that zeros do not make good', '0.0001e131076', 'VALUE_OUT_OF_RANGE'],
    ['zero with any exponent', '0e999999', 'ok'],
    ['the smallest exponent', '1e-16383', 'ok'],
    ['a smaller one', '1.5e-16383', 'VALUE_OUT_OF_RANGE'],
    ['an exponent of a thousand digits', `1e${'9'.repeat(1000)}`, 'VALUE_OUT_OF_RANGE'],
    ['a negative one of a thousand digits', `1e-${'9'.repeat(1000)}`, 'VALUE_OUT_OF_RANGE'],
    ['hexadecimal digits', `0x${'f'.repeat(100_000)}`, 'ok'],
    ['too many of them', `0x${'f'.repeat(110_000)}`, 'VALUE_OUT_OF_RANGE'],
  ])('numeric, %s', (_, value, code) => {
    expect(codeOf('numeric', value)).toBe(code);
  });

  it('says what the column takes', () => {
    expect(checkValue(column('c', 'numeric'), '1e200000')?.reason).toBe(
      'is of type numeric, which holds 131072 digits before the point and 16383 after it',
    );
    expect(checkValue(column('c', 'int2'), 70_000)?.reason).toBe('is of type int2 and takes -32768 to 32767');
    expect(checkValue(column('c', 'int8'), 2 ** 60)?.reason).toContain('send it as a string');
  });
});
