import { describe, expect, it } from 'vitest';
import type { Json } from '../../src/interfaces/json.js';
import { isLegal } from '../../src/services/planner/legal-value.js';
import { column } from '../support/table.js';

const NUMERIC = column('c', 'numeric', { precision: { digits: 6, scale: 2 } });
const TIMESTAMP = column('c', 'other', { type: 'timestamp with time zone' });

describe('legal values', () => {
  it.each([
    [column('c', 'int2'), [0, -32768, '32767', '007']],
    [column('c', 'int8'), ['9223372036854775807', '-9223372036854775808', 5]],
    [NUMERIC, [999.99, '-1', '0.005', '0000000001']],
    [column('c', 'numeric'), ['1', '-0.0000000001', 12.5]],
    [column('c', 'boolean'), [true, false, 'true']],
    [column('c', 'uuid'), ['0190B5A0-0000-7000-8000-000000000001']],
    [column('c', 'text'), ['', 'é', { a: 1 }, 5]],
    [column('c', 'varchar', { maxLength: 3 }), ['', 'abc', '😀😀😀']],
    [column('c', 'bpchar', { maxLength: 3 }), ['', 'abc']],
    [column('c', 'date'), ['2024-02-29', '0001-01-01', '9999-12-31']],
    [TIMESTAMP, ['2024-02-29T23:59:59.999999Z', '2024-02-29 00:00:00', '2024-01-01T00:00:00+14:59']],
    [column('c', 'json'), [{ a: [1, null, 'x'] }, [], 'text', 0, false]],
  ])('%o: ordinary ones are known', (on, values: Json[]) => {
    for (const value of values) expect(isLegal(value, on), JSON.stringify(value)).toBe(true);
  });

  it.each([
    [column('c', 'int2'), [32768, -32769, '1.0', '', ' 1', 'x', true, 1e21]],
    [column('c', 'int8'), ['9223372036854775808', '99999999999999999999']],
    [NUMERIC, ['9999.995', '10000', '1e3', 'NaN', 'Infinity', '', '.']],
    [column('c', 'numeric'), ['9'.repeat(1000), 'NaN', '-inf', '1e9']],
    [column('c', 'boolean'), ['t', 1, 'maybe', '']],
    [column('c', 'uuid'), ['0190B5A000007000800000000000000', 'x', '']],
    [column('c', 'varchar', { maxLength: 3 }), ['abcd', '😀😀😀😀']],
    [column('c', 'date'), ['2023-02-29', '0000-01-01', '2024-13-01', 'today', 'infinity', '10000-01-01', '2024-1-1']],
    [
      TIMESTAMP,
      [
        '2024-02-30T00:00:00Z',
        '2024-01-01T24:00:00Z',
        '2024-01-01T23:59:60Z',
        '2024-01-01',
        'now',
        '2024-01-01T00:00:00 Mars/Base',
      ],
    ],
    [column('c', 'json'), ['\u0000', '\ud800', { '\u0001': 1 }]],
    [column('c', 'other', { type: 'inet' }), ['10.0.0.1']],
    [column('c', 'enum'), ['a']],
    [column('c', 'float'), [1.5]],
    [column('c', 'array'), [[1]]],
  ])('%o: what may be refused is not', (on, values: Json[]) => {
    for (const value of values) expect(isLegal(value, on), JSON.stringify(value)).toBe(false);
  });

  it('hold NULL legal exactly where the column does', () => {
    expect(isLegal(null, column('c', 'int4'))).toBe(true);
    expect(isLegal(null, column('c', 'int4', { notNull: true }))).toBe(false);
    expect(isLegal(null, column('c', 'enum'))).toBe(true);
  });
});
