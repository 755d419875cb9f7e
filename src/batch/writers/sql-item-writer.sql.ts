import type { SqlStatement } from '../../interfaces/sql.js';
import { answersOrdinals } from '../sql/execute-plan.sql.js';
import type { ComposedStatement } from '../composer/compose-set-statement.js';
import { encodeTexts, joinJsonTexts, jsonTexts } from '../sql/encode-texts.js';
import { itemFunctions } from '../sql/item-functions.sql.js';
import { quoteTable } from '../sql/quote-name.js';
import { SQL_STATE_KINDS } from '../sql/sql-states.js';

/** A column of the table to which items are written. */
export interface TableColumn {
  name: string;
  /** As a cast takes it, without length and precision: a cast to `varchar(3)` would cut silently. */
  type: string;
  /** With length and precision. */
  storedType: string;
  isArray: boolean;
  /** Of the column, or of its elements. */
  isJson: boolean;
}

/** The columns of a table, in its order. No rows where there is no such table. */
export function selectColumns(table: string): SqlStatement {
  return {
    text: `
      select a.attname as "name", format_type(a.atttypid, -1) as "type", format_type(a.atttypid, a.atttypmod) as "storedType",
        e.oid is not null as "isArray", coalesce(e.typname, b.typname) in ('json', 'jsonb') as "isJson"
      from pg_attribute a
      join pg_type t on t.oid = a.atttypid
      join pg_type b on b.oid = case when t.typtype = 'd' then t.typbasetype else t.oid end
      left join pg_type e on e.oid = b.typelem and b.typcategory = 'A'
      where a.attrelid = to_regclass($1::text) and a.attnum > 0 and not a.attisdropped
      order by a.attnum`,
    values: [quoteTable(table)],
  };
}

/** The source of the rows of a statement that is executed by itself. Its parameter is that of `executeAll`. */
export const ROWS = `(
      select u.ord, u.cells::jsonb as cells
      from unnest(${jsonTexts('$1')}) with ordinality u(cells, ord)
      offset 0
    ) s`;

/** The source of the rows of a statement of `executeItems`. @param schema the engine's schema, quoted */
export const isolatedRows = (schema: string): string => `${itemFunctions(schema).itemRows}($1, $2) s`;

/**
 * Executes a statement over `ROWS`. All rows take effect, or none does.
 *
 * @param rows each a JSON array of texts
 */
export function executeAll({ text }: ComposedStatement, rows: readonly string[]): SqlStatement {
  return { text, values: [joinJsonTexts(rows)] };
}

/**
 * Executes a statement over `isolatedRows`, and isolates the rows that the database refuses. It answers `PlanAnswer`.
 *
 * @param schema the engine's schema, quoted
 * @param sizes how many of the rows each execution of the statement takes
 */
export function executeItems(
  schema: string,
  statement: ComposedStatement,
  sizes: readonly number[],
  rows: readonly string[],
): SqlStatement {
  return {
    text: `
      select ${itemFunctions(schema).executeItems}(
        texts => $1::text[], lone_texts => null, answers_ordinals => array[$2::boolean], names => null, bounds => null,
        groups => array_fill(1, array[cardinality($3::int[])]), sizes => $3::int[],
        folded => array_fill(false, array[cardinality($3::int[])]),
        seqs => array_fill(null::int8, array[$4::int]), given => ${jsonTexts('$5')}::jsonb[],
        suspects => '{}', kinds => $6::jsonb, one_by_one => false, as_one => false,
        most_blocks => ${MOST_BLOCKS}, budget => ${NO_BUDGET}, expected_share => 0, blocks => 0, tainted => '{}'
      ) as answer`,
    values: [
      encodeTexts([statement.text]),
      answersOrdinals(statement),
      sizes,
      rows.length,
      joinJsonTexts(rows),
      SQL_STATE_KINDS,
    ],
  };
}

/** Every row of a chunk has to get its verdict, so there is no limit. */
const MOST_BLOCKS = 2 ** 31 - 1;
const NO_BUDGET = `interval '100 years'`;
