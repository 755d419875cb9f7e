import type { ErrorCode } from './error.js';

/** Durable topic exchange of the service's events. */
export const EVENTS_EXCHANGE = 'batch.events';
export const SETTLED_PATTERN = 'operations.settled';
/** What operations without a `source` are notified under. */
export const ANONYMOUS_SOURCE = 'anonymous';

/** Routing key of a source's notifications: `operations.settled.<source>`. */
export const settledRoutingKey = (source: string): string => `${SETTLED_PATTERN}.${source}`;

/** What a chunk settled for a source, or a part of it where that is too large for one message. At least once. */
export interface IOperationsSettledEvent {
  chunkId: string;
  source: string;
  settledAt: string;
  /** Which part of the notification this is, from 1. Each part has other operations and can be worked on alone. */
  part: number;
  /** How many parts it has: 1 as a rule. */
  parts: number;
  completed: string[];
  failed: { id: string; code: ErrorCode; message: string }[];
}

/** The message as it travels: a NestJS consumer takes it with `@EventPattern('operations.settled')`. */
export interface IOperationsSettledMessage {
  pattern: typeof SETTLED_PATTERN;
  data: IOperationsSettledEvent;
}

/**
 * The same for every delivery of one message, and its `messageId` in RabbitMQ: remember it to drop repetitions.
 * `<chunkId>:<source>`; of a part also its first and last operation, `<chunkId>:<source>:<id>:<id>`. Not the number of the part:
 * an operation that is retried leaves the notification, and another limit splits it in other places, so a part of the same number
 * may have an operation that the consumer has not heard of.
 */
export function settledEventKey({ chunkId, source, parts, completed, failed }: IOperationsSettledEvent): string {
  const key = `${chunkId}:${source}`;
  if (parts === 1) return key;
  return `${key}:${completed[0] ?? failed[0]?.id}:${failed.at(-1)?.id ?? completed.at(-1)}`;
}
