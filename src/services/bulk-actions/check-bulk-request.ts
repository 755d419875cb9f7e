import { listSome, MOST_LISTED } from '../../batch/model/list-some.js';
import type { BulkActionKind, IBulkActionRequest } from '../../interfaces/bulk-action.js';
import type { IOperationFilter } from '../../interfaces/operation-filter.js';
import type { Access } from '../access/access.js';
import { didYouMean } from '../errors/nearest-name.js';
import { quoteForMessage } from '../errors/quote-for-message.js';
import { ServiceError } from '../errors/service-error.js';
import { FILTER_FIELDS, filterFault, invalidFilter, isUuid } from '../outcomes/filter-fields.js';
import { toMatch, type MatchedStatus, type OperationMatch } from '../outcomes/operation-match.js';
import { isPlainObject } from '../intake/check-json.js';
import { ExactJson } from '../values/exact-json.js';
import { ownValue } from '../values/own-value.js';

type Given = Record<string, unknown>;

const FIELDS = ['id', 'filter', 'dryRun', 'expected'];

/** The states to which each action applies, and the one that is meant if the filter names none. */
const STATUSES: Readonly<Record<BulkActionKind, { allowed: readonly string[]; implied: MatchedStatus }>> = {
  // Whoever cancelled operations did not mean them to be executed by a retry of what has failed.
  retry: { allowed: ['failed', 'cancelled'], implied: 'failed' },
  cancel: { allowed: ['pending', 'scheduled'], implied: 'waiting' },
  erase: { allowed: ['completed', 'failed', 'cancelled'], implied: 'settled' },
};

/**
 * The operations that an action changes. Erased ones can be neither retried nor erased once more; waiting ones are never erased.
 *
 * @throws ServiceError INVALID_REQUEST, with the name of the field
 */
export function toBulkMatch(
  action: BulkActionKind,
  filter: IOperationFilter,
  access: Pick<Access, 'targets'>,
): OperationMatch {
  const match = toMatch(filter, access, STATUSES[action].implied);
  return action === 'cancel' ? match : { ...match, notErased: true };
}

/** @throws ServiceError INVALID_REQUEST, INVALID_ID, with the name of the field */
export function checkBulkRequest(action: BulkActionKind, body: unknown): IBulkActionRequest {
  const given = objectOf(body, 'The request must be an object such as { "filter": { "code": "MISSING_PARENT" } }', '');
  refuseUnknown(given, FIELDS, '');
  const [id, dryRun, expected] = ['id', 'dryRun', 'expected'].map((name) => ownValue(given, name));
  if (id !== undefined && (typeof id !== 'string' || !isUuid(id))) {
    throw new ServiceError('INVALID_ID', 'The id of a bulk action must be a UUID', { parameter: 'id' });
  }
  if (dryRun !== undefined && typeof dryRun !== 'boolean') throw invalidFilter('dryRun', 'must be true or false');
  if (expected !== undefined && !(Number.isSafeInteger(expected) && Number(expected) >= 0)) {
    throw invalidFilter('expected', 'must be a whole number, such as `matched` of a dry run');
  }
  return {
    filter: checkFilter(action, ownValue(given, 'filter')),
    ...(id !== undefined && { id: id.toLowerCase() }),
    ...(dryRun !== undefined && { dryRun }),
    ...(expected !== undefined && { expected: Number(expected) }),
  };
}

function checkFilter(action: BulkActionKind, filter: unknown): IOperationFilter {
  const given = objectOf(filter, `filter must be an object with one of ${FILTER_FIELDS.join(', ')}`, 'filter');
  refuseUnknown(given, FILTER_FIELDS, 'filter ');
  const fields = FILTER_FIELDS.filter((field) => ownValue(given, field) !== undefined);
  if (fields.length === 0) {
    throw invalidFilter('filter', `must have at least one field: ${FILTER_FIELDS.join(', ')}`);
  }
  for (const field of fields) {
    const fault = filterFault(field, ownValue(given, field));
    if (fault !== undefined) throw new ServiceError('INVALID_REQUEST', fault, { parameter: field });
  }
  const checked = Object.fromEntries(fields.map((field) => [field, ownValue(given, field)])) as IOperationFilter;
  const { allowed } = STATUSES[action];
  if (checked.status !== undefined && !allowed.includes(checked.status)) {
    throw invalidFilter(
      'status',
      `must be one of ${allowed.join(', ')} to ${action} operations, not ${checked.status}`,
    );
  }
  return { ...checked, ...(checked.ids && { ids: checked.ids.map((id) => id.toLowerCase()) }) };
}

function objectOf(value: unknown, message: string, parameter: string): Given {
  if (value instanceof ExactJson && value.kind === 'object') {
    throw new ServiceError('INVALID_REQUEST', `${parameter || 'The request'} has one field twice`, { parameter });
  }
  if (isPlainObject(value)) return value;
  throw new ServiceError('INVALID_REQUEST', message, { parameter });
}

function refuseUnknown(given: Given, known: readonly string[], place: string): void {
  const unknown = unknownNames(given, known);
  const [first] = unknown;
  if (first === undefined) return;
  const named = `field${unknown.length === 1 ? '' : 's'} ${listSome(unknown, quoteForMessage, ', ')}`;
  const message = `${place}has no ${named}, only ${known.join(', ')}${didYouMean(first, known)}`;
  throw new ServiceError('INVALID_REQUEST', place === '' ? `The request ${message}` : message, { parameter: first });
}

/** Not more than a message needs: an RPC may carry megabytes of names. */
function unknownNames(given: Given, known: readonly string[]): string[] {
  const unknown: string[] = [];
  for (const name in given) {
    if (!known.includes(name) && unknown.push(name) === MOST_LISTED) break;
  }
  return unknown;
}
