import type { ErrorCode } from './error.js';

/** Durable topic exchange of the service's events. */
export const EVENTS_EXCHANGE = 'batch.events';
export const SETTLED_PATTERN = 'operations.settled';
/** The source in the notifications of operations that have no `source`. */
export const ANONYMOUS_SOURCE = 'anonymous';

/** Routing key of a source's notifications: `operations.settled.<source>`. */
export const settledRoutingKey = (source: string): string => `${SETTLED_PATTERN}.${source}`;

/** The operations of a source that a chunk settled, or a part of them if they are too large. Sent at least once. */
export interface IOperationsSettledEvent {
  chunkId: string;
  source: string;
  settledAt: string;
  /** Which part of the notification this is, from 1. Each part has other operations and can be processed alone. */
  part: number;
  /** How many parts it has, usually 1. */
  parts: number;
  completed: string[];
  failed: { id: string; code: ErrorCode; message: string }[];
}

/** The message on the wire. A NestJS consumer takes it with `@EventPattern('operations.settled')`. */
export interface IOperationsSettledMessage {
  pattern: typeof SETTLED_PATTERN;
  data: IOperationsSettledEvent;
}

/**
 * The same for every delivery of one message, and its `messageId` in RabbitMQ: remember it to drop repetitions. It is
 * `<chunkId>:<source>`, and for a part also its first and last operation. The number of a part does not identify it:
 * retried operations leave the notification, and another limit splits it in other places. So a part with the same
 * number may have an operation that is new to the consumer.
 */
export function settledEventKey({ chunkId, source, parts, completed, failed }: IOperationsSettledEvent): string {
  const key = `${chunkId}:${source}`;
  if (parts === 1) return key;
  return `${key}:${completed[0] ?? failed[0]?.id}:${failed.at(-1)?.id ?? completed.at(-1)}`;
}
