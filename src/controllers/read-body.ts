import { isUtf8 } from 'node:buffer';
import { ServiceError } from '../services/errors/service-error.js';
import type { Steps } from '../services/steps/steps.js';
import { readJson } from '../services/values/read-json.js';

/**
 * Deeper JSON is refused: code that walks it recursively, here or in PostgreSQL, would run out of stack. A value of an
 * operation may nest 100 levels; the rest is for the structure around it.
 */
export const MAX_NESTING = 128;

/** Bytes that are read at once, in less than a millisecond; a string may be longer. */
const STEP = 64 * 1024;

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const OPEN_ARRAY = 0x5b;
const CLOSE_ARRAY = 0x5d;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;

/**
 * Reads what a caller sent, in steps: a large body must not block the event loop.
 *
 * @param called the word for it in messages
 * @throws ServiceError MALFORMED_MESSAGE
 */
export function* readBody(body: Buffer, called: 'body' | 'message'): Steps<unknown> {
  // Decoding would replace each invalid byte with U+FFFD, and the altered text would be stored.
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

/**
 * Whether JSON nests deeper than `limit`, in steps. It reads bytes, so it is safe before parsing. Invalid JSON may
 * pass.
 */
export function* nestsDeeperThan(limit: number, text: Uint8Array): Steps<boolean> {
  let depth = 0;
  let pauseAt = STEP;
  for (let at = 0; at < text.length; at += 1) {
    if (at >= pauseAt) {
      pauseAt = at + STEP;
      yield;
    }
    const byte = text[at];
    if (byte === QUOTE) at = endOfString(text, at);
    else if (byte === CLOSE_ARRAY || byte === CLOSE_OBJECT) depth -= 1;
    else if (byte === OPEN_ARRAY || byte === OPEN_OBJECT) depth += 1;
    if (depth > limit) return true;
  }
  return false;
}

function endOfString(text: Uint8Array, start: number): number {
  const end = text.indexOf(QUOTE, start + 1);
  if (end > 0 && text[end - 1] !== BACKSLASH) return end;
  let at = start + 1;
  while (at < text.length && text[at] !== QUOTE) at += text[at] === BACKSLASH ? 2 : 1;
  return at;
}
