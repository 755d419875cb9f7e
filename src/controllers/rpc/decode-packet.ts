import { isUtf8 } from 'node:buffer';
import { ServiceError } from '../../services/errors/service-error.js';
import { ExactJson, stringifyJson } from '../../services/values/exact-json.js';
import { parseJson } from '../../services/values/parse-json.js';
import { MAX_NESTING, nestsDeeperThan } from '../nesting-depth.js';

/** The id is sent back with every answer. A UUID has 36 characters. */
const LONGEST_ID = 200;

/** A request as it is sent: `{ "pattern": "create_operation", "id": "…", "data": { … }, "apiKey": "…" }`. */
export interface RpcPacket {
  pattern: string;
  /** Absent in an event. Otherwise as the caller wrote it: at most 200 characters, also as JSON. */
  id: unknown;
  data: unknown;
  /** Absent if none is required, and over RabbitMQ. */
  apiKey?: unknown;
}

/**
 * Reads a message body of at most `maxKb` KiB.
 *
 * @throws ServiceError `PAYLOAD_TOO_LARGE` before anything is parsed, `MALFORMED_MESSAGE`
 */
export function decodePacket(body: Buffer, maxKb: number): RpcPacket {
  if (body.length > maxKb * 1024) throw tooLarge(maxKb, body.length);
  // If it were decoded nevertheless, it would be stored changed: U+FFFD in the place of each invalid byte.
  if (!isUtf8(body)) throw notUtf8();
  if (nestsDeeperThan(MAX_NESTING, body)) {
    throw new ServiceError('MALFORMED_MESSAGE', `The message nests deeper than ${MAX_NESTING} levels`);
  }
  return toPacket(parse(body));
}

export function tooLarge(limitKb: number, bytes?: number): ServiceError {
  const size = bytes === undefined ? '' : ` (it has ${bytes} bytes)`;
  return new ServiceError(
    'PAYLOAD_TOO_LARGE',
    `The message is larger than ${limitKb} KiB${size}; send fewer operations at once`,
    bytes === undefined ? { limitKb } : { limitKb, bytes },
  );
}

export function notUtf8(): ServiceError {
  return new ServiceError('MALFORMED_MESSAGE', 'The message is not valid UTF-8');
}

function parse(body: Buffer): unknown {
  try {
    return parseJson(body.toString('utf8'));
  } catch (error) {
    throw new ServiceError('MALFORMED_MESSAGE', `The message is not JSON: ${(error as Error).message}`, undefined, {
      cause: error,
    });
  }
}

function toPacket(message: unknown): RpcPacket {
  if (message instanceof ExactJson) throw new ServiceError('MALFORMED_MESSAGE', 'The message has one field twice');
  if (typeof message !== 'object' || message === null || !('pattern' in message)) {
    throw new ServiceError(
      'MALFORMED_MESSAGE',
      'The message has no "pattern"; expected { "pattern": …, "id": …, "data": … }',
    );
  }
  const { pattern } = message;
  if (typeof pattern !== 'string') {
    throw new ServiceError('MALFORMED_MESSAGE', 'The "pattern" of the message is not a string');
  }
  return {
    pattern,
    id: 'id' in message && message.id !== null ? parseId(message.id) : undefined,
    data: 'data' in message ? message.data : undefined,
    ...('apiKey' in message && { apiKey: message.apiKey }),
  };
}

function parseId(id: unknown): unknown {
  const { length } = typeof id === 'string' ? id : stringifyJson(id);
  if (length <= LONGEST_ID) return id;
  throw new ServiceError(
    'MALFORMED_MESSAGE',
    `The "id" of the message has ${length} characters; at most ${LONGEST_ID} are allowed`,
  );
}
