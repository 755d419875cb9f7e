import { cutText } from '../services/errors/cut-text.js';
import { ServiceError } from '../services/errors/service-error.js';

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

/**
 * The id of an operation in lower case, as it is stored.
 *
 * @throws ServiceError `INVALID_ID`
 */
export function parseOperationId(id: unknown): string {
  if (typeof id === 'string' && UUID.test(id)) return id.toLowerCase();
  const given =
    typeof id === 'string' ? `'${cutText(id, 100)}'` : `a value of type ${id === null ? 'null' : typeof id}`;
  throw new ServiceError('INVALID_ID', `The id of an operation must be a UUID, got ${given}`, { parameter: 'id' });
}
