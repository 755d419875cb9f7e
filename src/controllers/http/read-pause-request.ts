import { PAUSE_KINDS, type IPauseRequest, type PauseKind } from '../../interfaces/pause.js';
import { didYouMean } from '../../services/errors/nearest-name.js';
import { quoteForMessage } from '../../services/errors/quote-for-message.js';
import { ServiceError } from '../../services/errors/service-error.js';
import { ExactJson } from '../../services/values/exact-json.js';

const FIELDS = ['kind', 'name', 'reason', 'drain'];

/**
 * Reads the body of a request that pauses. The service checks the name.
 *
 * @throws ServiceError INVALID_REQUEST
 */
export function readPauseRequest(body: unknown): IPauseRequest {
  if (typeof body !== 'object' || body === null || Array.isArray(body) || body instanceof ExactJson) {
    throw invalid('The body must be an object such as { "kind": "target", "name": "orders" }');
  }
  const unknown = Object.keys(body).find((field) => !FIELDS.includes(field));
  if (unknown !== undefined) {
    throw invalid(`The body has the unknown field ${quoteForMessage(unknown)}${didYouMean(unknown, FIELDS)}`, unknown);
  }
  const { kind, name, reason, drain } = body as Readonly<Record<string, unknown>>;
  if (!isKind(kind)) throw invalid(`kind must be one of ${PAUSE_KINDS.join(', ')}`, 'kind');
  const text = textOf(name);
  if (text === undefined) throw invalid('name must be a text: the number of a lane, a table, or a source', 'name');
  if (reason !== undefined && !isText(reason)) throw invalid('reason must be a text', 'reason');
  if (drain !== undefined && typeof drain !== 'boolean') throw invalid('drain must be true or false', 'drain');
  return { kind, name: text, ...(reason !== undefined && { reason }), ...(drain !== undefined && { drain }) };
}

const isKind = (value: unknown): value is PauseKind => PAUSE_KINDS.includes(value as PauseKind);

/** PostgreSQL stores neither NUL nor half a surrogate pair. */
const isText = (value: unknown): value is string =>
  typeof value === 'string' && value.isWellFormed() && !value.includes('\0');

/** A lane may be given as a number. */
function textOf(name: unknown): string | undefined {
  if (typeof name === 'number') return String(name);
  return isText(name) ? name : undefined;
}

const invalid = (message: string, parameter?: string): ServiceError =>
  new ServiceError('INVALID_REQUEST', message, parameter === undefined ? undefined : { parameter });
