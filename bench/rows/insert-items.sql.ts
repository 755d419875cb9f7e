import type pg from 'pg';
import { encodeTexts } from '../../src/batch/sql/encode-texts.js';
import type { Item } from './items.js';

/** One statement for all rows, prepared under its name. All contestants that write sets use it. */
export function insertItems(rows: readonly Item[]): pg.QueryConfig {
  return {
    name: 'insert_items',
    text: `
      insert into item (id, a, b, c, d, e)
      select * from unnest($1::int[], $2::text[], $3::int[], $4::numeric[], $5::timestamptz[], $6::boolean[])`,
    // Not by the driver's own encoder, which takes longer than the service's. This must be the limit.
    values: [
      encodeTexts(rows.map(({ id }) => String(id))),
      encodeTexts(rows.map(({ a }) => a)),
      encodeTexts(rows.map(({ b }) => String(b))),
      encodeTexts(rows.map(({ c }) => String(c))),
      encodeTexts(rows.map(({ d }) => d)),
      encodeTexts(rows.map(({ e }) => String(e))),
    ],
  };
}

/** One row, prepared under its name. All contestants that write row by row use it. */
export function insertItem({ id, a, b, c, d, e }: Item): pg.QueryConfig {
  return {
    name: 'insert_item',
    text: 'insert into item (id, a, b, c, d, e) values ($1, $2, $3, $4, $5, $6)',
    values: [id, a, b, c, d, e],
  };
}
