import type { Column } from '../catalog/table.js';
import { quoteIdentifier } from '../catalog/target-name.js';
import { givenKey, sentColumns, type OperationShape } from '../planner/operation-shape.js';
import { equality, foundBy } from './key-condition.js';

/**
 * A statement for operations of the same signature, and how to read its result. Its first parameter has the sequence
 * numbers of the operations. The second has rows that replace the stored ones, or is null: see `encodeRow`.
 */
export interface ComposedStatement {
  text: string;
  /**
   * `every`: it changes one row for each operation, so the number of changed rows must be the number of operations.
   * `ordinals`: it returns an array, in ascending order. Each changed row adds the `ord` (from 1) of its operation.
   */
  answers: 'every' | 'ordinals';
  /** The statement for one operation or none, if it differs. Its number of changed rows is the operation's result. */
  lone?: string;
}

/**
 * Composes the one statement that executes operations of the same signature: same kind, table and columns. Its text is
 * the same for any number of operations. Values are cast one by one, to the type without its length, so that the column
 * itself accepts or refuses them. Pure.
 *
 * @param shape any operation of the signature
 */
export function composeStatement(shape: OperationShape): ComposedStatement {
  const { kind } = shape;
  switch (kind) {
    case 'insert':
      return { text: insertText(shape), answers: 'every' };
    case 'ignore':
      return composeIgnore(shape);
    case 'upsert':
      return composeUpsert(shape);
    case 'update':
      return composeUpdate(shape, (name, value) => `${name} = ${value}`);
    case 'increment':
      return composeUpdate(shape, (name, value) => `${name} = t.${name} + ${value}`);
    case 'delete':
      return composeDelete(shape);
    default:
      return kind satisfies never;
  }
}

function insertText(shape: OperationShape): string {
  const { table, valueColumns } = shape;
  return `insert into ${table.sql} (${names(valueColumns)})
select ${given(shape).join(', ')} from ${SOURCE} order by s.ord`;
}

/**
 * An insert cannot return the input from which a row came. For a single operation that is not needed. The new rows of
 * several operations are joined to the input by the unique key that their values give (see `isTellable`).
 */
function composeIgnore(shape: OperationShape): ComposedStatement {
  const { table, valueColumns } = shape;
  const key = givenKey(shape);
  const sameKey = key?.columns.map((name) => matches(name, shape)).join(' and ') ?? 'true';
  return {
    text: `with s as materialized (select * from ${SOURCE}),
t as (
  insert into ${table.sql} (${names(valueColumns)})
  select ${given(shape).join(', ')} from s order by s.ord
  on conflict do nothing
  returning ${key === undefined ? '1' : key.columns.map(quoteIdentifier).join(', ')}
)
select array_agg(s.ord::int order by s.ord) from s where exists (select from t where ${sameKey})`,
    answers: 'ordinals',
    lone: `${insertText(shape)} on conflict do nothing`,
  };
}

function composeUpsert(shape: OperationShape): ComposedStatement {
  const { keyColumns, valueColumns } = shape;
  const others = valueColumns.filter((column) => !keyColumns.includes(column));
  // A row that consists only of its key is written too, so that it counts as affected, as in every other upsert.
  const assigned = others.length > 0 ? others : keyColumns;
  return {
    text: `${insertText(shape)}
on conflict (${names(keyColumns)}) do update set ${assigned
      .map(({ name }) => `${quoteIdentifier(name)} = excluded.${quoteIdentifier(name)}`)
      .join(', ')}`,
    answers: 'every',
  };
}

function composeUpdate(shape: OperationShape, assign: (column: string, value: string) => string): ComposedStatement {
  const { table, keyColumns, valueColumns } = shape;
  const assignments = valueColumns.map(({ name }, index) =>
    assign(quoteIdentifier(name), `s.c${keyColumns.length + index}`),
  );
  return changing(shape, (rows) => `update ${table.sql} t set ${assignments.join(', ')} from ${rows}`);
}

const composeDelete = (shape: OperationShape): ComposedStatement =>
  changing(shape, (rows) => `delete from ${shape.table.sql} t using ${rows}`);

/**
 * A statement that finds its rows by key. Whatever plan PostgreSQL chooses, all values are cast before rows are sought.
 * So a value that is not valid for its column is an error, even if no row has the key. If the table has a rule,
 * PostgreSQL accepts only the lone form, which has no `with`.
 *
 * @param statement up to its condition, with rows that have the values as `s.c0`, `s.c1`, …, those of the key first
 */
function changing(shape: OperationShape, statement: (rows: string) => string): ComposedStatement {
  const cast = given(shape).map((value, place) => `${value} as c${place}`);
  const rows = `select s.ord, ${cast.join(', ')} from ${SOURCE}`;
  const match = shape.keyColumns.map((column, place) => foundBy(column, `s.c${place}`)).join(' and ');
  const all = `(${cast.map((_, place) => `s.c${place}`).join(', ')})`;
  return {
    text: `with s as materialized (${rows}),
changed as (
  ${statement('s')}
  where ${match} and (select count(*) from s) >= 0 returning s.ord
)
select array_agg(ord::int order by ord) from changed`,
    answers: 'ordinals',
    lone: `${statement(`(${rows}) s`)}
  where ${match} and (select count(${all}) from (${rows} offset 0) s) >= 0`,
  };
}

/** The row has the value as its column stores it: `1.001` in `numeric(6, 2)` as `1.00`. */
function matches(name: string, shape: OperationShape): string {
  const index = shape.valueColumns.findIndex((column) => column.name === name);
  const column = shape.valueColumns[index]!;
  const stored = column.storedType === column.type ? '' : `::${column.storedType}`;
  return `${equality(column, given(shape)[index]!)}${stored}`;
}

const names = (columns: readonly Column[]): string => columns.map(({ name }) => quoteIdentifier(name)).join(', ');

/** The value of each sent column, in the column's type. */
const given = (shape: OperationShape): string[] =>
  sentColumns(shape).map(({ type }, place) => `(s.cells->>${place})::${type}`);

/** See `operation-rows.ts`. */
const SOURCE = 'batch.operation_rows($1, $2) s';
