import { isUtf8 } from 'node:buffer';
import { ServiceError } from '../services/errors/service-error.js';
import type { Steps } from '../services/steps/steps.js';
import { readJson } from '../services/values/read-json.js';
import { MAX_NESTING, nestsDeeperThan } from './nesting-depth.js';

/**
 * Reads what a caller sent, in steps: a large body must not keep the event loop from others.
 *
 * @param called what the caller knows it as
 * @throws ServiceError MALFORMED_MESSAGE
 */
export function* readBody(body: Buffer, called: 'body' | 'message'): Steps<unknown> {
  // Decoded nevertheless, it would be stored altered: U+FFFD in the place of each byte that is none.
  if (!isUtf8(body)) throw malformed(`The ${called} is not valid UTF-8`);
  if (yield* nestsDeeperThan(MAX_NESTING, body))
    throw malformed(`The ${called} nests deeper than ${MAX_NESTING} levels`);
  try {
    return yield* readJson(body.toString('utf8'));
  } catch (error) {
    throw malformed(`The ${called} is not JSON: ${(error as Error).message}`, error);
  }
}

function malformed(message: string, cause?: unknown): ServiceError {
  return new ServiceError('MALFORMED_MESSAGE', message, undefined, { cause });
}
