/** These names come first in every object, in this order. Others follow in the order of insertion. */
const FIRST = ['kind', 'name', 'title', 'contestant', 'target', 'claim', 'startedAt', 'seconds', 'operations'];
const SIGNIFICANT_DIGITS = 6;

/** JSON for people who compare two runs: the same keys in the same places, and no more digits than were measured. */
export function orderedJson(value: object): string {
  const replacer = (_: string, each: unknown): unknown => {
    if (typeof each === 'number') return rounded(each);
    return isPlainObject(each) ? ordered(each) : each;
  };
  return `${JSON.stringify(value, replacer, 2)}\n`;
}

const rounded = (value: number): number =>
  Number.isInteger(value) ? value : Number(value.toPrecision(SIGNIFICANT_DIGITS));

const isPlainObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

function ordered(given: Record<string, unknown>): Record<string, unknown> {
  const keys = Object.keys(given);
  const first = FIRST.filter((key) => keys.includes(key));
  return Object.fromEntries([...first, ...keys.filter((key) => !FIRST.includes(key))].map((key) => [key, given[key]]));
}
