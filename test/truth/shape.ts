import fc from 'fast-check';
import type { GivenRow, GivenValue } from '../../src/services/values/exact-json.js';
import type { TestOperation } from '../support/serial-oracle.js';

export type Values = fc.Arbitrary<GivenValue>;

/** A row that a table may hold before the operations; one that the table refuses is left out. */
export interface StartRow {
  target: string;
  values: GivenRow;
}

type Kind = 'insert' | 'ignore' | 'upsert' | 'update' | 'increment' | 'delete';

/**
 * The operations that a profile has on one table. They have to meet: few keys, few values, and few column sets, since only
 * operations with the same column set can share a statement. A column set is written as its names with blanks between.
 */
export interface TargetShape {
  target: string;
  columns: Readonly<Record<string, Values>>;
  /** The unique keys by which rows are named. */
  keys: readonly string[];
  inserts?: readonly string[];
  /** With every one of `keys` that the column set holds as conflict key. */
  upserts?: readonly string[];
  updates?: readonly string[];
  increments?: readonly Readonly<Record<string, Values>>[];
  /** Of start rows; by default the first of `inserts` or `upserts`. */
  starts?: string;
  weights?: Partial<Record<Kind, number>>;
}

const WEIGHTS: Record<Kind, number> = { insert: 3, ignore: 1, upsert: 3, update: 3, increment: 3, delete: 2 };

/** Weights are whole numbers. */
const PRECISION = 12;
const MUST_EXIST_EVERY = 4;

/** One kind of operation with one column set. */
export interface Habit {
  weight: number;
  arbitrary: fc.Arbitrary<TestOperation>;
}

export function habitsOf(shape: TargetShape): Habit[] {
  const kinds: Record<Kind, fc.Arbitrary<TestOperation>[]> = {
    insert: (shape.inserts ?? []).map((columns) => insert(shape, columns, 'error')),
    ignore: (shape.inserts ?? []).map((columns) => insert(shape, columns, 'ignore')),
    upsert: (shape.upserts ?? []).flatMap((columns) => upserts(shape, columns)),
    update: (shape.updates ?? []).map((columns) => change(shape, 'update', row(shape, columns))),
    increment: (shape.increments ?? []).map((deltas) => change(shape, 'increment', fc.record(deltas))),
    delete: [change(shape, 'delete')],
  };
  const weights = { ...WEIGHTS, ...shape.weights };
  return (Object.keys(kinds) as Kind[])
    .filter((kind) => weights[kind] > 0)
    .flatMap((kind) =>
      kinds[kind].map((arbitrary) => ({ weight: (weights[kind] * PRECISION) / kinds[kind].length, arbitrary })),
    )
    .map(({ weight, arbitrary }) => ({ weight: Math.ceil(weight), arbitrary }));
}

export function startRowOf(shape: TargetShape): fc.Arbitrary<StartRow> {
  const columns = shape.starts ?? shape.inserts?.[0] ?? shape.upserts?.[0];
  if (columns === undefined) throw new Error(`The shape of ${shape.target} does not say what its rows start with`);
  return row(shape, columns).map((values) => ({ target: shape.target, values }));
}

function insert(shape: TargetShape, columns: string, onConflict: 'error' | 'ignore'): fc.Arbitrary<TestOperation> {
  return row(shape, columns).map((values) => ({ operationType: 'insert', target: shape.target, values, onConflict }));
}

function upserts(shape: TargetShape, columns: string): fc.Arbitrary<TestOperation>[] {
  const keys = shape.keys.map(split).filter((key) => key.every((name) => split(columns).includes(name)));
  return keys.map((conflictKey) =>
    row(shape, columns, conflictKey).map((values) => ({
      operationType: 'upsert',
      target: shape.target,
      values,
      conflictKey,
    })),
  );
}

function change(
  shape: TargetShape,
  operationType: 'update' | 'increment' | 'delete',
  values?: fc.Arbitrary<GivenRow>,
): fc.Arbitrary<TestOperation> {
  const key = fc.oneof(...shape.keys.map((columns) => row(shape, columns, split(columns))));
  const mustExist = fc.nat({ max: MUST_EXIST_EVERY - 1 }).map((number) => number === 1);
  const { target } = shape;
  return values === undefined
    ? fc.record({ key, mustExist }).map((given) => ({ operationType, target, ...given }))
    : fc.record({ key, values, mustExist }).map((given) => ({ operationType, target, ...given }));
}

/** NULL names no row. */
function row({ target, columns }: TargetShape, names: string, never: readonly string[] = []): fc.Arbitrary<GivenRow> {
  const entries = split(names).map((name): [string, Values] => {
    const values = columns[name];
    if (values === undefined) throw new Error(`The shape of ${target} has no values for ${name}`);
    return [name, never.includes(name) ? values.filter((value) => value !== null) : values];
  });
  return fc.record(Object.fromEntries(entries));
}

const split = (names: string): string[] => names.split(' ');
