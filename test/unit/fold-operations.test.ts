import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Json } from '../../src/interfaces/json.js';
import type { Column } from '../../src/services/catalog/table.js';
import type { BoundOperation } from '../../src/services/planner/bound-operation.js';
import { foldOperations } from '../../src/services/planner/fold-operations.js';
import type { PlannedOperation } from '../../src/services/planner/plan.js';
import { column, table } from '../support/table.js';
import { increment, insert, remove, update, upsert } from './support/planning.js';

const ON = table('folded', [
  column('id', 'text', { constraintFreedom: 'constrained' }),
  column('n', 'int4'),
  column('small', 'int2'),
  column('big', 'int8'),
  column('bounded', 'int4', { constraintFreedom: 'rangeChecked' }),
  column('tied', 'int4', { constraintFreedom: 'constrained' }),
  column('price', 'numeric', { precision: { digits: 6, scale: 2 } }),
  column('hundreds', 'numeric', { precision: { digits: 3, scale: -2 } }),
  column('any', 'numeric'),
  column('f', 'float'),
  column('s', 'varchar', { maxLength: 3, notNull: true }),
]);

const fold = (...operations: BoundOperation[]): PlannedOperation | undefined =>
  operations
    .slice(1)
    .reduce<PlannedOperation | undefined>((earlier, later) => earlier && foldOperations(earlier, later), operations[0]);
const folded = (...operations: BoundOperation[]) => fold(...operations)?.operation.values;

describe('increments', () => {
  const sum = (name: string, ...values: Json[]) =>
    folded(...values.map((value) => increment(ON, 'x', { [name]: value })))?.[name];

  it('of one sign are added, zero has both', () => {
    expect(sum('n', 1, 2, '3')).toBe('6');
    expect(sum('n', -1, -2)).toBe('-3');
    expect(sum('n', 0, 5, 0, 1)).toBe('6');
    expect(sum('n', -5, 0, -1)).toBe('-6');
  });

  it('of both signs are not: a state in between might be refused', () => {
    expect(sum('n', 1, -1)).toBeUndefined();
    expect(sum('n', -1, 1)).toBeUndefined();
    expect(sum('n', 0, 3, -1)).toBeUndefined();
  });

  it('are added to the last digit that the column keeps', () => {
    expect(sum('price', '0.1', '0.20')).toBe('0.30');
    expect(sum('price', 0.1, 0.2)).toBe('0.3');
    expect(sum('any', '0.001', '1e3')).toBeUndefined();
    expect(sum('any', '0.0001', '1000')).toBe('1000.0001');
  });

  it('of more than 100 characters are left to PostgreSQL', () => {
    expect(sum('any', '1'.repeat(100), '1')).toBe(`${'1'.repeat(99)}2`);
    expect(sum('any', '1'.repeat(101), '1')).toBeUndefined();
    expect(sum('any', '1', `0.${'0'.repeat(98)}1`)).toBeUndefined();
  });

  it('of a hundred thousand digits do not keep the process from all else', () => {
    const digits = '7'.repeat(131_072);
    const startedAt = performance.now();
    expect(folded(...Array.from({ length: 100 }, () => increment(ON, 'x', { any: digits })))).toBeUndefined();
    // It took 13 s to add them.
    expect(performance.now() - startedAt).toBeLessThan(250);
  });

  it('that the column would round, or its type refuse, are left alone', () => {
    expect(sum('price', '0.005', '0.005')).toBeUndefined();
    expect(sum('hundreds', 50, 50)).toBeUndefined();
    expect(sum('n', '1.0', '1')).toBeUndefined();
    expect(sum('n', 'one', 1)).toBeUndefined();
    expect(sum('n', null, 1)).toBeUndefined();
    expect(sum('small', 32768, 1)).toBeUndefined();
    expect(sum('any', 'NaN', 1)).toBeUndefined();
    expect(sum('f', 1, 2)).toBeUndefined();
  });

  it('may add up to more than the type holds: the whole is refused then, and undone', () => {
    expect(sum('small', 32767, 32767)).toBe('65534');
    expect(sum('big', '9223372036854775807', '1')).toBe('9223372036854775808');
    // A third would be added to what is none of the type's values.
    expect(sum('small', 32767, 32767, 1)).toBeUndefined();
  });

  it('of a bounded column are added, those of a column that others depend on are not', () => {
    expect(sum('bounded', 1, 1)).toBe('2');
    expect(sum('tied', 1, 1)).toBeUndefined();
    expect(folded(increment(ON, 'x', { n: 1, tied: 1 }), increment(ON, 'x', { n: 1, tied: 1 }))).toBeUndefined();
  });

  it('of several columns have one sign each', () => {
    const both = (n: number, big: number) => increment(ON, 'x', { n, big });
    expect(folded(both(1, -1), both(1, -1))).toEqual({ n: '2', big: '-2' });
    expect(folded(both(1, -1), both(1, 1))).toBeUndefined();
  });
});

describe('updates', () => {
  const set = (values: Record<string, Json>, more = {}) => update(ON, 'x', values, more);

  it('leave the last value, and stand for all of them in their order', () => {
    const operations = [set({ n: 1 }), set({ n: 2 }), set({ n: 3 })];
    const row = fold(...operations)!;
    expect(row.operation.values).toEqual({ n: 3 });
    expect(row.folded).toEqual(operations);
  });

  it('are left alone where a value written over might be refused', () => {
    expect(folded(set({ n: 'many' }), set({ n: 1 }))).toBeUndefined();
    expect(folded(set({ s: 'long' }), set({ s: 'x' }))).toBeUndefined();
    expect(folded(set({ s: null }), set({ s: 'x' }))).toBeUndefined();
    expect(folded(set({ f: 1 }), set({ f: 2 }))).toBeUndefined();
    expect(folded(set({ n: null }), set({ n: 2 }))).toEqual({ n: 2 });
    // The last one is not written over: where it is refused, the fold is undone.
    expect(folded(set({ n: 1 }), set({ n: 'many' }))).toEqual({ n: 'many' });
    expect(folded(set({ n: 1 }), set({ n: 'many' }), set({ n: 3 }))).toBeUndefined();
  });

  it('are left alone where anything looks at a column, a range included', () => {
    expect(folded(set({ n: 1, tied: 1 }), set({ n: 2, tied: 2 }))).toBeUndefined();
    expect(folded(set({ bounded: 1 }), set({ bounded: 2 }))).toBeUndefined();
  });

  it('keep what each of them was asked for: one that must find its row stays such', () => {
    const operations = [set({ n: 1 }, { mustExist: true }), set({ n: 2 })];
    expect(fold(...operations)!.folded!.map(({ operation }) => operation.mustExist)).toEqual([true, false]);
  });
});

describe('upserts', () => {
  const put = (id: string, n: Json) => upsert(ON, { id, n });

  it('leave the last value', () => {
    expect(folded(put('x', 1), put('x', 2))).toEqual({ id: 'x', n: 2 });
    expect(folded(put('x', 'many'), put('x', 2))).toBeUndefined();
  });

  it('are left alone where they spell the key in several ways: the first may make the row', () => {
    expect(folded(put('x', 1), put('x ', 2))).toBeUndefined();
    expect(folded(put('x', 1), put('X', 2))).toBeUndefined();
  });
});

it('inserts and deletes are never folded', () => {
  expect(fold(insert(ON, { id: 'x' }), insert(ON, { id: 'x' }))).toBeUndefined();
  expect(
    fold(insert(ON, { id: 'x' }, { onConflict: 'ignore' }), insert(ON, { id: 'x' }, { onConflict: 'ignore' })),
  ).toBe(undefined);
  expect(fold(remove(ON, 'x'), remove(ON, 'x'))).toBeUndefined();
});

/** A column of a row as PostgreSQL keeps it, in hundredths; written without the code under test. */
interface Cell {
  column: Column;
  /** Whole hundredths that the column keeps a multiple of, between these bounds. */
  unit: bigint;
  min: bigint;
  max: bigint;
}

const CELLS: Cell[] = [
  { column: column('v', 'int2'), unit: 100n, min: -3276800n, max: 3276700n },
  { column: column('v', 'int4', { constraintFreedom: 'rangeChecked' }), unit: 100n, min: 0n, max: 1000n },
  { column: column('v', 'numeric', { precision: { digits: 4, scale: 2 } }), unit: 1n, min: -9999n, max: 9999n },
  {
    column: column('v', 'numeric', { precision: { digits: 4, scale: 1 }, constraintFreedom: 'rangeChecked' }),
    unit: 10n,
    min: -500n,
    max: 500n,
  },
];

/** What is left of the value; undefined when PostgreSQL refuses. */
function applied({ column: on, unit, min, max }: Cell, kind: string, value: bigint, text: string): bigint | undefined {
  const given = /^-?\d+(\.\d{1,2})?$/.test(text)
    ? BigInt(text.replace(/^(-?\d+)(?:\.(\d+))?$/, hundredths))
    : undefined;
  if (given === undefined || (on.kind === 'int2' || on.kind === 'int4' ? text.includes('.') : false)) return undefined;
  if (on.kind === 'int2' && kind === 'increment' && (given < -3276800n || given > 3276700n)) return undefined;
  const rounded = roundTo(kind === 'increment' ? value + given : given, unit);
  return rounded < min || rounded > max ? undefined : rounded;
}

const hundredths = (_: string, whole: string, fraction = ''): string => `${whole}${fraction.padEnd(2, '0')}`;

/** Half away from zero, like numeric. */
function roundTo(value: bigint, unit: bigint): bigint {
  const size = value < 0n ? -value : value;
  const rounded = ((size + unit / 2n) / unit) * unit;
  return value < 0n ? -rounded : rounded;
}

const amount = fc.oneof(
  fc.integer({ min: -12, max: 12 }).map(String),
  fc.integer({ min: -1200, max: 1200 }).map((value) => (value / 100).toFixed(2)),
  fc.constantFrom('32767', '-32768', '20000', '0', '99.99', '49.95', '0.05', '-0.05', 'x', '1.0'),
);

describe('a fold that succeeds', () => {
  it('leaves what its operations leave one by one, none of which fails', () => {
    let folds = 0;
    let refused = 0;
    fc.assert(
      fc.property(
        fc.constantFrom(...CELLS),
        fc.constantFrom('increment', 'update', 'upsert'),
        fc.bigInt({ min: -100n, max: 100n }),
        fc.array(amount, { minLength: 2, maxLength: 4 }),
        (cell, kind, start, amounts) => {
          const on = table('one', [column('id', 'int4', { constraintFreedom: 'constrained' }), cell.column]);
          const operations = amounts.map((v) =>
            kind === 'increment'
              ? increment(on, 1, { v })
              : kind === 'update'
                ? update(on, 1, { v })
                : upsert(on, { id: 1, v }),
          );
          const row = fold(...operations);
          if (row === undefined) return;
          const initial = roundTo(
            start * 10n < cell.min ? cell.min : start * 10n > cell.max ? cell.max : start * 10n,
            cell.unit,
          );
          const whole = applied(cell, kind, initial, row.operation.values!.v as string);
          if (whole === undefined) {
            refused += 1;
            return;
          }
          folds += 1;
          const one = amounts.reduce<bigint | undefined>(
            (value, text) => (value === undefined ? undefined : applied(cell, kind, value, text)),
            initial,
          );
          expect(one).toBe(whole);
          expect(row.folded).toEqual(operations);
        },
      ),
      { numRuns: 5000, seed: 20300101 },
    );
    expect(folds).toBeGreaterThan(300);
    expect(refused).toBeGreaterThan(20);
  });
});
