import type { Column } from '../catalog/table.js';
import { encodeTexts, joinJsonTexts, jsonTexts } from '../database/encode-texts.js';
import type { SqlStatement } from '../database/sql.js';
import { givenKey, givenValue, keyValue, type BoundOperation } from '../planner/bound-operation.js';
import type { GivenValue } from '../values/exact-json.js';
import { encodeValue } from './encode-value.js';
import { quoteIdentifier } from '../catalog/target-name.js';

/** A statement for a whole group, and how to read its result. */
export interface ComposedStatement extends SqlStatement {
  /**
   * `every`: it changed one row for each operation, which `rowCount` must confirm. `ordinals`: each returned row has
   * the `ord` (from 1) of an operation that changed a row.
   */
  answers: 'every' | 'ordinals';
}

/**
 * Composes the one statement that executes operations of the same signature: same kind, table and columns. Its text is
 * the same for any number of operations, with one array parameter a column. Values are sent as text and cast one by
 * one, to the type without its length, so that the column itself accepts or refuses them. Pure.
 *
 * @param shape any operation of the signature; `operations` may be empty
 */
export function composeStatement(shape: BoundOperation, operations: readonly BoundOperation[]): ComposedStatement {
  const { kind } = shape;
  switch (kind) {
    case 'insert':
      return composeInsert(shape, operations);
    case 'ignore':
      return composeIgnore(shape, operations);
    case 'upsert':
      return composeUpsert(shape, operations);
    case 'update':
      return composeUpdate(shape, operations, (name, value) => `${name} = ${value}`);
    case 'increment':
      return composeUpdate(shape, operations, (name, value) => `${name} = t.${name} + ${value}`);
    case 'delete':
      return composeDelete(shape, operations);
    default:
      return kind satisfies never;
  }
}

function composeInsert(shape: BoundOperation, operations: readonly BoundOperation[]): ComposedStatement {
  const { table, valueColumns } = shape;
  return {
    text: `insert into ${table.sql} (${names(valueColumns)})
select ${casts(valueColumns, 'v')} from ${source(valueColumns, 'v')} order by s.ord`,
    values: valueArrays(shape, operations),
    answers: 'every',
  };
}

/**
 * An insert cannot return the input from which a row came. For a single operation that is not needed. The new rows of
 * several operations are joined to the input by the unique key that their values give (see `isTellable`).
 */
function composeIgnore(shape: BoundOperation, operations: readonly BoundOperation[]): ComposedStatement {
  // Without operations the statement is that of a single one: it shows whether they can be executed alone.
  if (operations.length <= 1) {
    const insert = composeInsert(shape, operations);
    return { ...insert, text: `${insert.text} on conflict do nothing` };
  }
  return {
    text: `${insertNew(shape)}
select s.ord::int from s where exists (select from t where ${sameKey(shape)})`,
    values: valueArrays(shape, operations),
    answers: 'ordinals',
  };
}

/** The only row that `composeSalvage` returns. */
export interface SalvageRow {
  /** How many rows were inserted. */
  inserted: number;
  /** The `ord` (from 1) of the operations to which they belong. */
  ords: number[];
}

/**
 * Inserts the rows of plain inserts that conflict with no other row, and leaves the others out. Each has to give a
 * unique key without NULL.
 */
export function composeSalvage(shape: BoundOperation, operations: readonly BoundOperation[]): SqlStatement {
  return {
    text: `${insertNew(shape)}
select
  (select count(*)::int from t) as inserted,
  array(select s.ord::int from s where exists (select from t where ${sameKey(shape)})) as ords`,
    values: valueArrays(shape, operations),
  };
}

function insertNew(shape: BoundOperation): string {
  const { table, valueColumns } = shape;
  const key = givenKey(shape);
  return `with s as materialized (select * from ${source(valueColumns, 'v')}),
t as (
  insert into ${table.sql} (${names(valueColumns)})
  select ${casts(valueColumns, 'v')} from s order by s.ord
  on conflict do nothing
  returning ${key === undefined ? '1' : key.columns.map(quoteIdentifier).join(', ')}
)`;
}

function sameKey(shape: BoundOperation): string {
  const key = givenKey(shape);
  return key === undefined ? 'true' : key.columns.map((name) => matches(name, shape.valueColumns)).join(' and ');
}

function composeUpsert(shape: BoundOperation, operations: readonly BoundOperation[]): ComposedStatement {
  const { table, keyColumns, valueColumns } = shape;
  const others = valueColumns.filter((column) => !keyColumns.includes(column));
  // A row that consists only of its key is written too, so that it counts as affected, as in every other upsert.
  const assigned = others.length > 0 ? others : keyColumns;
  return {
    text: `insert into ${table.sql} (${names(valueColumns)})
select ${casts(valueColumns, 'v')} from ${source(valueColumns, 'v')} order by s.ord
on conflict (${names(keyColumns)}) do update set ${assigned
      .map(({ name }) => `${quoteIdentifier(name)} = excluded.${quoteIdentifier(name)}`)
      .join(', ')}`,
    values: valueArrays(shape, operations),
    answers: 'every',
  };
}

function composeUpdate(
  shape: BoundOperation,
  operations: readonly BoundOperation[],
  assign: (column: string, value: string) => string,
): ComposedStatement {
  const { table, keyColumns, valueColumns } = shape;
  const assignments = valueColumns.map((column, index) =>
    assign(quoteIdentifier(column.name), cast(column, `v${index}`)),
  );
  return {
    text: `update ${table.sql} t set ${assignments.join(', ')}
from ${source([...keyColumns, ...valueColumns], 'k', keyColumns.length)}
where ${keyMatch(keyColumns)} returning s.ord::int`,
    values: [...keyArrays(shape, operations), ...valueArrays(shape, operations)],
    answers: 'ordinals',
  };
}

function composeDelete(shape: BoundOperation, operations: readonly BoundOperation[]): ComposedStatement {
  const { table, keyColumns } = shape;
  return {
    text: `delete from ${table.sql} t
using ${source(keyColumns, 'k', keyColumns.length)}
where ${keyMatch(keyColumns)} returning s.ord::int`,
    values: keyArrays(shape, operations),
    answers: 'ordinals',
  };
}

/** The row has the value as its column stores it: `1.001` in `numeric(6, 2)` as `1.00`. */
function matches(name: string, valueColumns: readonly Column[]): string {
  const index = valueColumns.findIndex((column) => column.name === name);
  const column = valueColumns[index]!;
  const stored = column.storedType === column.type ? '' : `::${column.storedType}`;
  return `${equality(column, `v${index}`)}${stored}`;
}

const keyMatch = (keyColumns: readonly Column[]): string =>
  keyColumns.map((column, index) => equality(column, `k${index}`)).join(' and ');

const equality = (column: Column, alias: string): string =>
  `t.${quoteIdentifier(column.name)} ${column.equals} ${cast(column, alias)}`;

const names = (columns: readonly Column[]): string => columns.map(({ name }) => quoteIdentifier(name)).join(', ');

const cast = (column: Column, alias: string): string => `s.${alias}::${column.type}`;

const casts = (columns: readonly Column[], prefix: string): string =>
  columns.map((column, index) => cast(column, `${prefix}${index}`)).join(', ');

/** One array of texts a column, numbered `k0…` for the first `keys` columns and `v0…` for the others, and the ordinal. */
function source(columns: readonly Column[], prefix: 'k' | 'v', keys = 0): string {
  const parameters = columns.map(({ kind }, index) =>
    kind === 'json' ? jsonTexts(`$${index + 1}`) : `$${index + 1}::text[]`,
  );
  const aliases = columns.map((_, index) =>
    prefix === 'k' && index >= keys ? `v${index - keys}` : `${prefix}${index}`,
  );
  return `unnest(${parameters.join(', ')}) with ordinality s(${aliases.join(', ')}, ord)`;
}

const valueArrays = (shape: BoundOperation, operations: readonly BoundOperation[]): unknown[] =>
  shape.valueColumns.map((column) =>
    encodeValues(
      column,
      operations.map((operation) => givenValue(operation, column.name)),
    ),
  );

const keyArrays = (shape: BoundOperation, operations: readonly BoundOperation[]): unknown[] =>
  shape.keyColumns.map((column) =>
    encodeValues(
      column,
      operations.map((operation) => keyValue(operation, column.name)),
    ),
  );

/** What `source` reads. */
function encodeValues(column: Column, values: readonly (GivenValue | undefined)[]): string {
  const texts = values.map((value) => encodeValue(value, column));
  return column.kind === 'json' ? joinJsonTexts(texts) : encodeTexts(texts);
}
