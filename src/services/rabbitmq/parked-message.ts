import { randomUUID } from 'node:crypto';
import type { MessageProperties, Options } from 'amqplib';
import { cutText } from '../errors/cut-text.js';
import { SENDER_HEADER } from './sender-of.js';

/** Why a message needs a person's decision. */
export interface ParkingReason {
  /** An error code of the service, or one of `triageDeadLetter`. */
  code: string;
  reason: string;
  /** The broker's user who sent it, if known. */
  sender?: string | undefined;
}

/** Headers that the service writes on a parked message. */
export const PARKED_ID_HEADER = 'x-batch-parked-id';
export const PARKED_CODE_HEADER = 'x-batch-code';
export const PARKED_REASON_HEADER = 'x-batch-reason';
export const PARKED_AT_HEADER = 'x-batch-parked-at';
const EXPIRATION_HEADER = 'x-batch-expiration';
export const DROPPED_HEADERS_HEADER = 'x-batch-headers-dropped';

/** Headers in which the broker counts the deliveries of a message and records what happened to them. */
const DELIVERY_HEADERS =
  /^x-(death|delivery-count|acquired-count|(first|last)-death-(queue|reason|exchange)|batch-(code|reason|parked-at|parked-id|expiration|headers-dropped))$/;
/** With these headers RabbitMQ copies a message to other queues. */
const COPYING_HEADERS = ['CC', 'BCC'];

const LONGEST_REASON = 1000;
/** The limit of a text in the properties. */
const LONGEST_TEXT_BYTES = 255;
/** All headers travel in one frame together with those of the service. A larger frame ends the connection. */
const LARGEST_HEADERS_BYTES = 16 * 1024;

type Headers = Record<string, unknown>;

/**
 * The properties with which a message is parked: its own, and the reason. It loses its expiration, because it has to
 * wait for a person. It also loses its user id, which only its sender may set: a header keeps it.
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
      // Overwrites what the sender may have written there.
      [SENDER_HEADER]: sender,
    },
  };
}

/**
 * The same for a message with properties that can be read but not written again: a timestamp of 2^64 - 1, a header with
 * the key `!`, or text that is not UTF-8. It has no timestamp, only the service's headers, and the other properties
 * that can be written.
 */
export function toBarelyParked(properties: MessageProperties, why: ParkingReason, now: Date): Options.Publish {
  const writable = Object.entries(properties).filter(([, value]) => typeof value !== 'string' || isShort(value));
  const bare = { ...Object.fromEntries(writable), headers: { [DROPPED_HEADERS_HEADER]: true }, timestamp: undefined };
  return toParked(bare as unknown as MessageProperties, why, now);
}

/**
 * The properties with which a parked message goes back into its queue, as if it was sent for the first time.
 *
 * @param user the broker's user who sends it again; a header says who sent it first
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
    // It is nested more deeply than the stack allows.
    return Infinity;
  }
}

function headersOf({ headers }: MessageProperties): Headers {
  return headers ?? {};
}

/** Whether AMQP can carry the text in a property. Invalid UTF-8 was read as characters of three bytes each. */
export function isShort(text: string): boolean {
  return Buffer.byteLength(text) <= LONGEST_TEXT_BYTES;
}
