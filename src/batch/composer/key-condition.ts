import { quoteName } from '../sql/quote-name.js';

export interface KeyColumn {
  name: string;
  /** The operator that compares its values, such as `=`. */
  equals: string;
  /** `array` for a column of arrays. */
  kind: string;
}

/** Row `t` has the value in the column. */
export const equality = ({ name, equals }: KeyColumn, value: string): string =>
  `t.${quoteName(name)} ${equals} ${value}`;

/**
 * The same, for statements whose plans are kept. PostgreSQL can use it only to look up each value in an index. With
 * plain equality, a plan for a table with few rows would walk the whole index, even after the table has grown.
 */
export function foundBy(column: KeyColumn, value: string): string {
  // PostgreSQL would read an array of arrays as one array.
  return equality(column, column.kind === 'array' ? value : `any (array[${value}])`);
}
