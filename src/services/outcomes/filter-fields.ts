import { FAILURE_CODES } from '../../interfaces/error.js';
import type { IOperationFilter } from '../../interfaces/operation-filter.js';
import { OPERATION_STATUSES } from '../../interfaces/operation.js';
import { isStorable, parseTargetName } from '../catalog/target-name.js';
import { didYouMean } from '../errors/nearest-name.js';
import { ServiceError } from '../errors/service-error.js';
import { parseTime } from '../values/parse-time.js';

export const MAX_FILTER_IDS = 1000;

const LARGEST_BIGINT = 2n ** 63n - 1n;
/** PostgreSQL cuts names at 63 bytes. */
const LONGEST_NAME = 63;
const LONGEST_TARGET = 300;
const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/** For each field: what its value must be, as the end of a sentence. Undefined: the value is right. */
const FIELDS: { readonly [Field in keyof Required<IOperationFilter>]: (value: unknown) => string | undefined } = {
  status: (value) => oneOf(OPERATION_STATUSES, value),
  target: (value) =>
    isText(value, LONGEST_TARGET) && parseTargetName(value) !== undefined
      ? undefined
      : 'must be a `table` (in schema `public`) or `schema.table`',
  source: (value) =>
    typeof value === 'string' && /^[A-Za-z0-9_-]{1,100}$/.test(value)
      ? undefined
      : 'must be 1 to 100 letters, digits, _ or -',
  code: (value) => oneOf(FAILURE_CODES, value),
  constraint: (value) =>
    isText(value, LONGEST_NAME) && isStorable(value)
      ? undefined
      : 'must be the name of a constraint, 1 to 63 characters',
  chunkId: (value) => (isChunkNumber(value) ? undefined : 'must be the number of a chunk'),
  createdAfter: time,
  createdBefore: time,
  settledAfter: time,
  settledBefore: time,
  ids: (value) =>
    Array.isArray(value) && value.length > 0 && value.length <= MAX_FILTER_IDS && value.every(isUuid)
      ? undefined
      : `must be a list of 1 to ${MAX_FILTER_IDS} UUIDs`,
};

export const FILTER_FIELDS = Object.keys(FIELDS) as readonly (keyof IOperationFilter)[];

/** What is wrong with the value of a field, as a sentence that names it. Undefined: nothing. */
export function filterFault(field: keyof IOperationFilter, value: unknown): string | undefined {
  const rule = ruleOf(field)(value);
  return rule && `${field} ${rule}`;
}

export function invalidFilter(field: string, rule: string): ServiceError {
  return new ServiceError('INVALID_REQUEST', `${field} ${rule}`, { parameter: field });
}

const ruleOf = (field: keyof IOperationFilter): ((value: unknown) => string | undefined) => FIELDS[field];

function oneOf(allowed: readonly string[], value: unknown): string | undefined {
  if (typeof value === 'string' && allowed.includes(value)) return undefined;
  const meant = typeof value === 'string' ? didYouMean(value, allowed) : '';
  return `must be one of ${allowed.join(', ')}${meant}`;
}

function time(value: unknown): string | undefined {
  if (typeof value === 'string' && parseTime(value) !== undefined) return undefined;
  return 'must be a time in ISO 8601 with zone, such as 2030-01-31T12:00:00Z';
}

const isText = (value: unknown, longest: number): value is string =>
  typeof value === 'string' && value !== '' && value.length <= longest;

export const isUuid = (value: unknown): boolean => typeof value === 'string' && UUID.test(value);

function isChunkNumber(value: unknown): boolean {
  return typeof value === 'string' && /^\d{1,19}$/.test(value) && BigInt(value) <= LARGEST_BIGINT;
}
