import { v5 as uuidFrom } from 'uuid';
import { RPC_PATTERNS } from '../../interfaces/rpc.js';
import { mapInSteps, type Steps } from '../../services/steps/steps.js';
import { ExactJson } from '../../services/values/exact-json.js';
import type { RpcPacket } from './decode-packet.js';

export interface Identified {
  packet: RpcPacket;
  /** Whether the message may be executed again without taking effect twice. */
  repeatable: boolean;
}

/** Of a version and variant that somebody makes: the nil UUID stands for no id. */
const MADE_UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[1-8][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/i;

/**
 * Gives operations without an `id` one that is the same whenever their message is delivered again: the intake would make a new
 * one each time, and both operations would take effect. It comes from the AMQP property `message_id`, if that is a UUID; any
 * other text may be a counter that begins anew with its sender, and would make two operations one.
 */
export function* identify(packet: RpcPacket, messageId: unknown): Steps<Identified> {
  const source = typeof messageId === 'string' && MADE_UUID.test(messageId) ? messageId.toLowerCase() : undefined;
  switch (packet.pattern) {
    case RPC_PATTERNS.createOperation:
      return identifyOne(packet, source);
    case RPC_PATTERNS.createOperations:
      return yield* identifyMany(packet, source);
    default:
      // It makes no operation, so there is nothing that could be made twice.
      return { packet, repeatable: true };
  }
}

function identifyOne(packet: RpcPacket, source: string | undefined): Identified {
  if (!lacksId(packet.data)) return { packet, repeatable: true };
  if (source === undefined) return { packet, repeatable: false };
  return { packet: { ...packet, data: { ...packet.data, id: source } }, repeatable: true };
}

/** The place in the list tells the operations of a message apart. */
function* identifyMany(packet: RpcPacket, source: string | undefined): Steps<Identified> {
  const { data } = packet;
  if (!isObject(data) || !Array.isArray(data.operations)) return { packet, repeatable: true };
  const given: readonly unknown[] = data.operations;
  if (!given.some(lacksId)) return { packet, repeatable: true };
  if (source === undefined) return { packet, repeatable: false };
  const operations = yield* mapInSteps(given, (operation, place) =>
    lacksId(operation) ? { ...operation, id: uuidFrom(String(place), source) } : operation,
  );
  return { packet: { ...packet, data: { ...data, operations } }, repeatable: true };
}

function lacksId(operation: unknown): operation is Record<string, unknown> {
  return isObject(operation) && operation.id === undefined;
}

/** What is none is refused by the intake, in its own words. */
function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof ExactJson);
}
