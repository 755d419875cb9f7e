import type { SqlStatement } from '../../interfaces/sql.js';
import { quoteName } from '../sql/quote-name.js';

/** The column of a page that holds the key of its row, as texts. No column of a caller is called so. */
export const KEY_COLUMN = 'batch:key';

export interface KeysetQuery {
  select: string;
  values: readonly unknown[];
  key: readonly string[];
}

const keyOf = (key: readonly string[]): string => key.map((name) => `input.${quoteName(name)}`).join(', ');

/** The rows after a key, or the first rows. */
export function selectPage(query: KeysetQuery, after: readonly string[] | undefined, limit: number): SqlStatement {
  const { values, key } = query;
  const texts = key.map((name) => `input.${quoteName(name)}::text`).join(', ');
  return {
    text: `
      select input.*, array[${texts}] as "${KEY_COLUMN}"
      ${fromAfter(query, after)}
      order by ${keyOf(key)}
      limit ${limit}`,
    values: [...values, ...(after ?? [])],
  };
}

/** A row without a key, if there is one. No page would have it. */
export function selectRowWithoutKey({ select, values, key }: KeysetQuery): SqlStatement {
  return {
    text: `
      select 1
      from (${select}\n) as input
      where ${key.map((name) => `input.${quoteName(name)} is null`).join(' or ')}
      limit 1`,
    values: [...values],
  };
}

/** How many rows there are after a key, or at all. */
export const countRows = (query: KeysetQuery, after?: readonly string[]): SqlStatement => ({
  text: `
      select count(*)::float8 as count
      ${fromAfter(query, after)}`,
  values: [...query.values, ...(after ?? [])],
});

function fromAfter({ select, values, key }: KeysetQuery, after: readonly string[] | undefined): string {
  const from = `from (${select}\n) as input`;
  if (after === undefined) return from;
  // Without casts: each parameter gets the type of the column that it is compared with, whatever type that is.
  const parameters = key.map((_, index) => `$${values.length + 1 + index}`).join(', ');
  return `${from}
      where (${keyOf(key)}) > (${parameters})`;
}

const CURSOR = 'batch_reader';

export function declareCursor(select: string, values: readonly unknown[]): SqlStatement {
  return { text: `declare ${CURSOR} no scroll cursor for ${select}`, values: [...values] };
}

export const moveForward = (count: number): SqlStatement => ({ text: `move forward ${count} in ${CURSOR}` });

export const fetchForward = (count: number): SqlStatement => ({ text: `fetch forward ${count} from ${CURSOR}` });

/** The cursor waits while a chunk is written, perhaps longer than other transactions may. */
export const waitWithoutLimit = (): SqlStatement => ({ text: 'set local idle_in_transaction_session_timeout = 0' });
