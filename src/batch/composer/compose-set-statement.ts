import { quoteName } from '../sql/quote-name.js';
import { equality, foundBy, type KeyColumn } from './key-condition.js';

/** What one statement does. `ignore` is an insert that leaves existing rows unchanged. */
export type StatementKind = 'insert' | 'ignore' | 'upsert' | 'update' | 'increment' | 'delete';

export interface StatementColumn extends KeyColumn {
  /** For casts of written values, without length or precision: a cast to `varchar(3)` would cut silently. Quoted. */
  type: string;
  /** With length and precision, as values are stored. Quoted. */
  storedType: string;
}

/** What the rows of one statement have in common. */
export interface StatementShape {
  kind: StatementKind;
  /** Quoted. */
  table: string;
  /** The columns that name the row, or the conflict key of an upsert. Empty for inserts. */
  keyColumns: readonly StatementColumn[];
  /** The columns that are written. */
  valueColumns: readonly StatementColumn[];
  /** The columns of a row of `rows`, in their order. */
  sentColumns: readonly StatementColumn[];
  /** Of `ignore`: a unique key whose values every row has. Without it, only a single row can be executed. */
  givenKey?: readonly string[];
  /** Of `upsert`: the columns that are written to a row that is there already. Default: all but the key. */
  updated?: readonly StatementColumn[];
  /** True when several rows of the table may have the same key. A given row that changes several counts once. */
  mayMatchSeveral?: boolean;
}

/**
 * A statement for rows of the same shape, and how to read its result. Its parameters are those of the source of its
 * rows.
 */
export interface ComposedStatement {
  text: string;
  /**
   * `every`: it changes one row for each row it is given, so the number of changed rows must be the number of given
   * ones. `ordinals`: it returns an array, in ascending order. Each changed row adds the `ord` (from 1) of its row.
   * `any`: it may change any number of rows, and each given row has taken effect.
   */
  answers: 'every' | 'ordinals' | 'any';
  /** The statement for one row or none, if it differs. Its number of changed rows is the row's result. */
  lone?: string;
}

/**
 * Composes the one statement that executes rows of the same shape. Its text is the same for any number of rows. Values
 * are cast one by one, to the type without its length, so that the column itself accepts or refuses them. Pure.
 *
 * @param source SQL of the rows, with the alias `s`: `ord` counts them from 1, `cells` is a JSON array of texts
 */
export function composeSetStatement(shape: StatementShape, source: string): ComposedStatement {
  const { kind } = shape;
  switch (kind) {
    case 'insert':
      return { text: insertText(shape, source), answers: 'every' };
    case 'ignore':
      return composeIgnore(shape, source);
    case 'upsert':
      return composeUpsert(shape, source);
    case 'update':
      return composeUpdate(shape, source, (name, value) => `${name} = ${value}`);
    case 'increment':
      return composeUpdate(shape, source, (name, value) => `${name} = t.${name} + ${value}`);
    case 'delete':
      return composeDelete(shape, source);
    default:
      return kind satisfies never;
  }
}

function insertText(shape: StatementShape, source: string): string {
  const { table, valueColumns } = shape;
  return `insert into ${table} (${names(valueColumns)})
select ${given(shape).join(', ')} from ${source} order by s.ord`;
}

/**
 * An insert cannot return the input from which a row came. For a single row that is not needed. The new rows of several
 * are joined to the input by the unique key that their values give.
 */
function composeIgnore(shape: StatementShape, source: string): ComposedStatement {
  const { table, valueColumns, givenKey } = shape;
  const sameKey = givenKey?.map((name) => matches(name, shape)).join(' and ') ?? 'true';
  return {
    text: `with s as materialized (select * from ${source}),
t as (
  insert into ${table} (${names(valueColumns)})
  select ${given(shape).join(', ')} from s order by s.ord
  on conflict do nothing
  returning ${givenKey === undefined ? '1' : givenKey.map(quoteName).join(', ')}
)
select array_agg(s.ord::int order by s.ord) from s where exists (select from t where ${sameKey})`,
    answers: 'ordinals',
    lone: `${insertText(shape, source)} on conflict do nothing`,
  };
}

function composeUpsert(shape: StatementShape, source: string): ComposedStatement {
  const { keyColumns, valueColumns } = shape;
  const conflict = `${insertText(shape, source)}\non conflict (${names(keyColumns)}) do`;
  if (shape.updated?.length === 0) return { text: `${conflict} nothing`, answers: 'any' };
  const others = shape.updated ?? valueColumns.filter((column) => !keyColumns.includes(column));
  // A row that consists only of its key is written too, so that it counts as affected, as in every other upsert.
  const assigned = others.length > 0 ? others : keyColumns;
  const assignments = assigned.map(({ name }) => `${quoteName(name)} = excluded.${quoteName(name)}`);
  return { text: `${conflict} update set ${assignments.join(', ')}`, answers: 'every' };
}

function composeUpdate(
  shape: StatementShape,
  source: string,
  assign: (column: string, value: string) => string,
): ComposedStatement {
  const { table, keyColumns, valueColumns } = shape;
  const assignments = valueColumns.map(({ name }, index) => assign(quoteName(name), `s.c${keyColumns.length + index}`));
  return changing(shape, source, (rows) => `update ${table} t set ${assignments.join(', ')} from ${rows}`);
}

const composeDelete = (shape: StatementShape, source: string): ComposedStatement =>
  changing(shape, source, (rows) => `delete from ${shape.table} t using ${rows}`);

/**
 * A statement that finds its rows by key. Whatever plan PostgreSQL chooses, all values are cast before rows are sought.
 * So a value that is not valid for its column is an error, even if no row has the key. If the table has a rule,
 * PostgreSQL accepts only the lone form, which has no `with`.
 *
 * @param statement up to its condition, with rows that have the values as `s.c0`, `s.c1`, …, those of the key first
 */
function changing(shape: StatementShape, source: string, statement: (rows: string) => string): ComposedStatement {
  const cast = given(shape).map((value, place) => `${value} as c${place}`);
  const rows = `select s.ord, ${cast.join(', ')} from ${source}`;
  const match = shape.keyColumns.map((column, place) => foundBy(column, `s.c${place}`)).join(' and ');
  const all = `(${cast.map((_, place) => `s.c${place}`).join(', ')})`;
  const unique = shape.mayMatchSeveral === true ? ` and ${noKeyTwice(shape)}` : '';
  return {
    text: `with s as materialized (${rows}),
changed as (
  ${statement('s')}
  where ${match} and (select count(*) from s) >= 0${unique} returning s.ord
)
select array_agg(${shape.mayMatchSeveral === true ? 'distinct ord::int order by ord::int' : 'ord::int order by ord'}) from changed`,
    answers: 'ordinals',
    lone: `${statement(`(${rows}) s`)}
  where ${match} and (select count(${all}) from (${rows} offset 0) s) >= 0`,
  };
}

/**
 * An update would change a row once and ignore all other given rows with its key, whatever their spelling. Two rows of a
 * scalar subquery are an error (21000) instead, like the one of an upsert.
 */
function noKeyTwice({ keyColumns }: StatementShape): string {
  const key = keyColumns.map((_, place) => `s.c${place}`).join(', ');
  const twice = `select 1 from s group by ${key} having count(*) > 1`;
  return `(select 1 from (${twice} union all ${twice}) d) is null`;
}

/** The row has the value as its column stores it: `1.001` in `numeric(6, 2)` as `1.00`. */
function matches(name: string, shape: StatementShape): string {
  const index = shape.valueColumns.findIndex((column) => column.name === name);
  const column = shape.valueColumns[index]!;
  const stored = column.storedType === column.type ? '' : `::${column.storedType}`;
  return `${equality(column, given(shape)[index]!)}${stored}`;
}

const names = (columns: readonly StatementColumn[]): string => columns.map(({ name }) => quoteName(name)).join(', ');

/** The value of each sent column, in the column's type. */
const given = ({ sentColumns }: StatementShape): string[] =>
  sentColumns.map(({ type }, place) => `(s.cells->>${place})::${type}`);
