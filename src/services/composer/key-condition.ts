import type { Column } from '../catalog/table.js';
import { quoteIdentifier } from '../catalog/target-name.js';

type KeyColumn = Pick<Column, 'name' | 'equals' | 'kind'>;

/** Row `t` has the value in the column. */
export const equality = ({ name, equals }: KeyColumn, value: string): string =>
  `t.${quoteIdentifier(name)} ${equals} ${value}`;

/**
 * The same, for statements whose plans are kept. PostgreSQL can use it to look for one value after the other in an index, and for no other
 * way of joining. A plan that was made for a table with few rows would else walk the whole index, also when the table has grown.
 */
export function foundBy(column: KeyColumn, value: string): string {
  // An array of arrays would be taken for one array.
  return equality(column, column.kind === 'array' ? value : `any (array[${value}])`);
}
