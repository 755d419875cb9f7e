import { randomUUID } from 'node:crypto';
import type { MessageProperties, Options } from 'amqplib';
import { cutText } from '../errors/cut-text.js';
import { SENDER_HEADER } from './sender-of.js';

/** Why a message is left to people. */
export interface ParkingReason {
  /** An error code of the service, or one of `triageDeadLetter`. */
  code: string;
  reason: string;
  /** The user of the broker who sent it, where that is known. */
  sender?: string | undefined;
}

/** What the service writes about a parked message. */
export const PARKED_ID_HEADER = 'x-batch-parked-id';
export const PARKED_CODE_HEADER = 'x-batch-code';
export const PARKED_REASON_HEADER = 'x-batch-reason';
export const PARKED_AT_HEADER = 'x-batch-parked-at';
const EXPIRATION_HEADER = 'x-batch-expiration';
export const DROPPED_HEADERS_HEADER = 'x-batch-headers-dropped';

/** What the broker counts about the deliveries of a message, and what became of them. */
const DELIVERY_HEADERS =
  /^x-(death|delivery-count|acquired-count|(first|last)-death-(queue|reason|exchange)|batch-(code|reason|parked-at|parked-id|expiration|headers-dropped))$/;
/** By these headers RabbitMQ copies a message to further queues. */
const COPYING_HEADERS = ['CC', 'BCC'];

const LONGEST_REASON = 1000;
/** Of a text in the properties. */
const LONGEST_TEXT_BYTES = 255;
/** All headers travel in one frame together with ours; a larger one ends the connection. */
const LARGEST_HEADERS_BYTES = 16 * 1024;

type Headers = Record<string, unknown>;

/**
 * The properties under which a message is parked: its own, and why it is there. It loses its expiration, so that it waits
 * for people however long that takes, and its user id, which only its sender may set: a header keeps it.
 */
export function toParked(
  properties: MessageProperties,
  { code, reason, sender }: ParkingReason,
  now: Date,
): Options.Publish {
  const { expiration } = properties as { expiration?: string };
  return {
    ...ownProperties(properties),
    headers: {
      ...affordable(withoutCopies(headersOf(properties))),
      [PARKED_ID_HEADER]: randomUUID(),
      [PARKED_CODE_HEADER]: code,
      [PARKED_REASON_HEADER]: cutText(reason, LONGEST_REASON),
      [PARKED_AT_HEADER]: now.toISOString(),
      ...(expiration !== undefined && { [EXPIRATION_HEADER]: expiration }),
      // Also instead of what its sender wrote there.
      [SENDER_HEADER]: sender,
    },
  };
}

/**
 * The same for a message with properties that can be read but not written again: a timestamp of 2^64 - 1, a header with the key
 * `!`, text that is no UTF-8. It has no timestamp, no headers but ours, and of its other properties those that can be written.
 */
export function toBarelyParked(properties: MessageProperties, why: ParkingReason, now: Date): Options.Publish {
  const writable = Object.entries(properties).filter(([, value]) => typeof value !== 'string' || isShort(value));
  const bare = { ...Object.fromEntries(writable), headers: { [DROPPED_HEADERS_HEADER]: true }, timestamp: undefined };
  return toParked(bare as unknown as MessageProperties, why, now);
}

/**
 * The properties under which a parked message goes back into its queue: as if it was sent for the first time.
 *
 * @param user who sends it again, as the broker knows him; a header tells who sent it first
 */
export function toReplayed(properties: MessageProperties, user: string): Options.Publish {
  const own = Object.entries(headersOf(properties)).filter(([name]) => !DELIVERY_HEADERS.test(name));
  return { ...ownProperties(properties), userId: user, headers: Object.fromEntries(own) };
}

function ownProperties(properties: MessageProperties): Options.Publish {
  const { contentType, contentEncoding, priority, correlationId, replyTo, messageId, timestamp, type, appId } =
    properties as Options.Publish;
  return { contentType, contentEncoding, priority, correlationId, replyTo, messageId, timestamp, type, appId };
}

function withoutCopies(headers: Headers): Headers {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => !COPYING_HEADERS.includes(name)));
}

function affordable(headers: Headers): Headers {
  return sizeOf(headers) <= LARGEST_HEADERS_BYTES ? headers : { [DROPPED_HEADERS_HEADER]: true };
}

function sizeOf(headers: Headers): number {
  try {
    return Buffer.byteLength(JSON.stringify(headers));
  } catch {
    // Nested more deeply than the stack reaches.
    return Infinity;
  }
}

function headersOf({ headers }: MessageProperties): Headers {
  return headers ?? {};
}

/** Whether AMQP can carry the text in a property. Bytes that are no UTF-8 were read as characters of three bytes each. */
export function isShort(text: string): boolean {
  return Buffer.byteLength(text) <= LONGEST_TEXT_BYTES;
}
