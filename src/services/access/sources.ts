import { OPERATION_FIELDS } from '../../interfaces/operation-fields.js';
import { ServiceError } from '../errors/service-error.js';
import { quoteForMessage } from '../errors/quote-for-message.js';
import type { Access } from './access.js';

const SOURCE = new RegExp(OPERATION_FIELDS.source.schema.pattern);

/** True when the text is a valid name of a source. */
export function isSource(text: string): boolean {
  return SOURCE.test(text);
}

/**
 * The source of a caller's operation: the named one, or else the caller's source if it has only one.
 *
 * @returns undefined when the operation has none
 */
export function sourceFor({ sources }: Access, named: string | undefined): string | undefined | ServiceError {
  if (sources === undefined) return named;
  if (named === undefined) return sources.length === 1 ? sources[0] : undefined;
  if (sources.includes(named)) return named;
  return new ServiceError(
    'SOURCE_NOT_ALLOWED',
    `The API key does not allow operations of source ${quoteForMessage(named)}; its sources are ${sources.map(quoteForMessage).join(', ')}`,
    { field: 'source', sources: [...sources] },
  );
}
