/**
 * What a row holds, or may hold, in some columns.
 *
 * - `known`: equal texts are equal values; `mayBeGenerated` when a sequence may give this value during the chunk.
 * - `generated`: drawn by the database, and different from the values of all other rows.
 * - `null`: equal to nothing.
 * - `unknown`: only the database can tell.
 */
export type Value = KnownValue | { state: 'null' | 'generated' | 'unknown' };

export interface KnownValue {
  state: 'known';
  text: string;
  mayBeGenerated: boolean;
}

export const NULL: Value = { state: 'null' };
export const GENERATED: Value = { state: 'generated' };
export const UNKNOWN: Value = { state: 'unknown' };

/** No value looks like this, because all of them begin with a letter. */
const NULL_TEXT = '-';

/** Several columns as one value. With `nullsNotDistinct`, NULL is a value like others. */
export function combine(values: readonly Value[], nullsNotDistinct = false): Value {
  if (values.length === 1 && !nullsNotDistinct) return values[0]!;
  const texts: string[] = [];
  let mayBeGenerated = false;
  let state: 'known' | 'generated' | 'unknown' = 'known';
  for (const value of values) {
    if (value.state === 'null') {
      if (!nullsNotDistinct) return NULL;
      texts.push(NULL_TEXT);
    } else if (value.state === 'known') {
      texts.push(value.text);
      mayBeGenerated ||= value.mayBeGenerated;
    } else if (state !== 'unknown') {
      state = value.state;
    }
  }
  return state === 'known' ? { state, text: listText(texts), mayBeGenerated } : { state };
}

/** If there are more combinations, the values of several columns together count as unknown. */
const MAX_COMBINATIONS = 16;

/** Every value that several columns together may have. */
export function combinations(columns: readonly (readonly Value[])[], nullsNotDistinct = false): readonly Value[] {
  if (columns.length === 1 && !nullsNotDistinct) return columns[0]!;
  if (columns.reduce((product, values) => product * values.length, 1) > MAX_COMBINATIONS) return [UNKNOWN];
  let lists: Value[][] = [[]];
  for (const values of columns) lists = lists.flatMap((list) => values.map((value) => [...list, value]));
  return lists.map((list) => combine(list, nullsNotDistinct));
}

/** Several values as one text. Each has its length in front, so that no two different lists look the same. */
function listText(texts: readonly string[]): string {
  return texts.length === 1 ? texts[0]! : texts.map((text) => `${text.length}:${text}`).join('');
}

/**
 * Equal for values of one column that are the same to the planner. Known values begin with a letter, or with the name
 * of their family.
 */
export const textOf = (value: Value): string => (value.state === 'known' ? value.text : `:${value.state}`);
