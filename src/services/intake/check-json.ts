import { isStorable } from '../catalog/target-name.js';
import { ExactJson } from '../values/exact-json.js';
import { depthOf, escapedStrings } from '../values/parse-json.js';

/** The maximum depth of nested arrays and objects in a value. */
export const MAX_DEPTH = 100;

/**
 * Why PostgreSQL cannot store a JSON value and return it unchanged. Undefined when it can. The answer completes a
 * sentence that begins with the column's name.
 */
export function jsonFault(value: unknown, depth = 0): string | undefined {
  switch (typeof value) {
    case 'string':
      return isStorable(value) ? undefined : NOT_STORABLE;
    case 'number':
      return Number.isFinite(value) ? undefined : 'is a number that JSON cannot carry; send it as a string';
    case 'boolean':
      return undefined;
    case 'object':
      if (value === null) return undefined;
      return value instanceof ExactJson ? exactFault(value) : containerFault(value, depth);
    default:
      return `is no JSON value, but ${typeof value}`;
  }
}

/** An object of key and value as JSON has it: no array, no class. */
export function isPlainObject(value: unknown): value is Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}

const TOO_DEEP = `is nested more than ${MAX_DEPTH} levels deep`;
const NOT_STORABLE = 'holds \\u0000 or half a surrogate pair, which PostgreSQL cannot store';

/** `ExactJson` is always the whole value of a column, so its depth counts from 0. */
function exactFault({ text }: ExactJson): string | undefined {
  if (depthOf(text) > MAX_DEPTH) return TOO_DEEP;
  for (const string of escapedStrings(text)) if (!isStorable(string)) return NOT_STORABLE;
  return undefined;
}

function containerFault(value: object, depth: number): string | undefined {
  if (depth >= MAX_DEPTH) return TOO_DEEP;
  if (Array.isArray(value)) return firstFault(value, depth);
  if (!isPlainObject(value)) return 'is no JSON value, but an object of a class';
  if (!Object.keys(value).every(isStorable)) return NOT_STORABLE;
  return firstFault(Object.values(value), depth);
}

function firstFault(values: readonly unknown[], depth: number): string | undefined {
  for (const value of values) {
    const fault = jsonFault(value, depth + 1);
    if (fault !== undefined) return fault;
  }
  return undefined;
}
