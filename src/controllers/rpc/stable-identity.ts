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

/** A generated UUID, recognised by its version and variant. The nil UUID means that there is no id. */
const MADE_UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[1-8][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/i;

/**
 * Gives operations without an `id` an id that is the same whenever their message is delivered again. Otherwise intake
 * would generate a new one each time, and the operation would take effect twice. The id comes from the AMQP property
 * `message_id`, if that is a UUID. Any other text may be a counter that starts again when its sender restarts: two
 * operations would get the same id.
 */
export function* identify(packet: RpcPacket, messageId: unknown): Steps<Identified> {
  const source = typeof messageId === 'string' && MADE_UUID.test(messageId) ? messageId.toLowerCase() : undefined;
  switch (packet.pattern) {
    case RPC_PATTERNS.createOperation:
      return identifyOne(packet, source);
    case RPC_PATTERNS.createOperations:
      return yield* identifyMany(packet, source);
    default:
      // It creates no operation, so nothing could be created twice.
      return { packet, repeatable: true };
  }
}

function identifyOne(packet: RpcPacket, source: string | undefined): Identified {
  if (!lacksId(packet.data)) return { packet, repeatable: true };
  if (source === undefined) return { packet, repeatable: false };
  return { packet: { ...packet, data: { ...packet.data, id: source } }, repeatable: true };
}

/** The operations of a message differ by their place in the list. */
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

/** Intake refuses a value that is not an object, in its own words. */
function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof ExactJson);
}
