import type { Json } from '../../interfaces/json.js';

/**
 * JSON that `JSON.parse` would change. That is a number with more digits than a double, or with zeros at its end. It is
 * also an object with a repeated name, or with an order of names that JavaScript does not keep. It stays text, without
 * white space between its tokens.
 */
export class ExactJson {
  constructor(readonly text: string) {}

  get kind(): 'number' | 'array' | 'object' {
    if (this.text.startsWith('[')) return 'array';
    return this.text.startsWith('{') ? 'object' : 'number';
  }

  /** `JSON.stringify` cannot write it. If it is called by mistake, it must not write something else. */
  toJSON(): never {
    throw new NotWritableError();
  }
}

/** A value of a column as it was sent, to the last digit. */
export type GivenValue = Json | ExactJson;

/** Column name → value. */
export type GivenRow = Readonly<Record<string, GivenValue>>;

class NotWritableError extends Error {
  constructor() {
    super('Exact JSON is written by stringifyJson');
  }
}

/** Like `JSON.stringify`, also for values that contain exact JSON. */
export function stringifyJson(value: unknown): string {
  try {
    return JSON.stringify(value);
  } catch (error) {
    if (error instanceof NotWritableError) return write(value);
    throw error;
  }
}

function write(value: unknown): string {
  if (value instanceof ExactJson) return value.text;
  if (Array.isArray(value)) return `[${value.map((element) => write(element ?? null)).join(',')}]`;
  if (typeof value !== 'object' || value === null || (value as { toJSON?: unknown }).toJSON instanceof Function)
    return JSON.stringify(value);
  const members = Object.entries(value).filter(([, member]) => member !== undefined);
  return `{${members.map(([name, member]) => `${JSON.stringify(name)}:${write(member)}`).join(',')}}`;
}
