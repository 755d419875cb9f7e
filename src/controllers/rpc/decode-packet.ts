import type { Settings } from '../../services/config/settings.js';
import { ServiceError } from '../../services/errors/service-error.js';
import type { Steps } from '../../services/steps/steps.js';
import { ExactJson, stringifyJson } from '../../services/values/exact-json.js';
import { readBody } from '../read-body.js';

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

export type PacketLimits = Pick<Settings['intake'], 'maxBodyKb'>;

/**
 * Reads a message body, in steps.
 *
 * @throws ServiceError `PAYLOAD_TOO_LARGE` before anything is parsed, `MALFORMED_MESSAGE`
 */
export function* decodePacket(body: Buffer, { maxBodyKb }: PacketLimits): Steps<RpcPacket> {
  if (body.length > maxBodyKb * 1024) {
    throw new ServiceError(
      'PAYLOAD_TOO_LARGE',
      `The message is larger than ${maxBodyKb} KiB (it has ${body.length} bytes); send fewer operations at once`,
      { limitKb: maxBodyKb, bytes: body.length },
    );
  }
  return toPacket(yield* readBody(body, 'message'));
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
