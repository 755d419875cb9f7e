import type { SqlStatement } from '../../interfaces/sql.js';
import { quoteName, quoteTable } from '../sql/quote-name.js';

export interface ColumnType {
  name: string;
  /** As a cast takes it, without length and precision: a cast to `varchar(3)` would cut silently. */
  type: string;
  isArray: boolean;
  /** Of the column, or of its elements. */
  isJson: boolean;
}

/** The columns of a table. No rows where there is no such table. */
export function selectColumnTypes(table: string): SqlStatement {
  return {
    text: `
      select a.attname as "name", format_type(a.atttypid, -1) as "type", e.oid is not null as "isArray",
             coalesce(e.typname, b.typname) in ('json', 'jsonb') as "isJson"
      from pg_attribute a
      join pg_type t on t.oid = a.atttypid
      join pg_type b on b.oid = case when t.typtype = 'd' then t.typbasetype else t.oid end
      left join pg_type e on e.oid = b.typelem and b.typcategory = 'A'
      where a.attrelid = to_regclass($1::text) and a.attnum > 0 and not a.attisdropped`,
    values: [quoteTable(table)],
  };
}

/** What a statement writes: for each column its values, as texts in an array. */
export interface Batch {
  table: string;
  columns: readonly ColumnType[];
  arrays: readonly string[];
}

/** One row of text for each item, cast to the types of the columns. */
function itemsOf({ columns }: Batch): string {
  const casts = columns.map(({ name, type }, index) => `t.c${index}::${type} as ${quoteName(name)}`);
  const arrays = columns.map((_, index) => `$${index + 1}::text[]`);
  const names = columns.map((_, index) => `c${index}`);
  return `
      select ${casts.join(', ')}, t.batch_position
      from unnest(${arrays.join(', ')}) with ordinality as t (${names.join(', ')}, batch_position)`;
}

const namesOf = (columns: readonly { name: string }[]): string => columns.map(({ name }) => quoteName(name)).join(', ');

export function insertItems(batch: Batch): SqlStatement {
  const names = namesOf(batch.columns);
  return {
    text: `
      insert into ${quoteTable(batch.table)} (${names})
      select ${names} from (${itemsOf(batch)}) as item
      order by batch_position`,
    values: [...batch.arrays],
  };
}

/** @param update columns of rows that are there already; none: such rows stay as they are */
export function upsertItems(batch: Batch, key: readonly string[], update: readonly string[]): SqlStatement {
  const { text, values } = insertItems(batch);
  const target = key.map(quoteName).join(', ');
  const sets = update.map((name) => `${quoteName(name)} = excluded.${quoteName(name)}`).join(', ');
  return {
    text: `${text}\n      on conflict (${target}) do ${sets === '' ? 'nothing' : `update set ${sets}`}`,
    values,
  };
}

/** Answers the positions of the items that have a row, counted from 1. */
export function updateItems(batch: Batch, key: readonly string[]): SqlStatement {
  const sets = batch.columns
    .filter(({ name }) => !key.includes(name))
    .map(({ name }) => `${quoteName(name)} = item.${quoteName(name)}`);
  const same = key.map((name) => `target.${quoteName(name)} = item.${quoteName(name)}`);
  return {
    text: `
      update ${quoteTable(batch.table)} as target
      set ${sets.join(', ')}
      from (${itemsOf(batch)}) as item
      where ${same.join(' and ')}
      returning item.batch_position::int as "position"`,
    values: [...batch.arrays],
  };
}
