// JavaScript rounds numbers. A row is shown with the digits that its caller has sent.

interface Raw {
  rawJSON?: (text: string) => unknown;
}
type Reviver = (this: unknown, key: string, value: unknown, context?: { source?: string }) => unknown;

const { rawJSON } = JSON as Raw;

const keepDigits: Reviver = (_key, value, context) =>
  typeof value === 'number' &&
  context?.source !== undefined &&
  rawJSON !== undefined &&
  String(value) !== context.source
    ? rawJSON(context.source)
    : value;

/** Reads JSON. A number that JavaScript would change stays as it is, for `JSON.stringify`. */
export function parseExactly(text: string): unknown {
  return JSON.parse(text, keepDigits);
}
