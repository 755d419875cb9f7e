import type { FieldSchema } from '../../interfaces/operation-fields.js';
import { isPlainObject } from './check-json.js';

/** True when a value matches a schema. Times and ids, which have a `format`, need a check of their own. */
export type Fits = (value: unknown) => boolean;

/** Made once, because requests are checked often. */
export function fitsSchema(schema: FieldSchema): Fits {
  switch (schema.type) {
    case 'string':
      return fitsString(schema);
    case 'integer': {
      const { minimum = -Infinity, maximum = Infinity } = schema;
      return (value) => Number.isInteger(value) && Number(value) >= minimum && Number(value) <= maximum;
    }
    case 'boolean':
      return (value) => typeof value === 'boolean';
    case 'array':
      return fitsArray(schema);
    case 'object':
      return isPlainObject;
    default:
      return schema.type satisfies never;
  }
}

function fitsString({ minLength = 0, maxLength = Infinity, pattern, enum: allowed }: FieldSchema): Fits {
  const expression = pattern === undefined ? undefined : new RegExp(pattern);
  return (value) =>
    typeof value === 'string' &&
    value.length >= minLength &&
    value.length <= maxLength &&
    (allowed?.includes(value) ?? true) &&
    (expression?.test(value) ?? true);
}

function fitsArray({ items, minItems = 0, maxItems = Infinity, uniqueItems = false }: FieldSchema): Fits {
  const fitsItem = items === undefined ? () => true : fitsSchema(items);
  return (value) =>
    Array.isArray(value) &&
    value.length >= minItems &&
    value.length <= maxItems &&
    (!uniqueItems || new Set(value).size === value.length) &&
    value.every(fitsItem);
}
