import type { ErrorCode } from './error.js';

/** Durable topic exchange of the service's events. */
export const EVENTS_EXCHANGE = 'batch.events';
export const SETTLED_PATTERN = 'operations.settled';
/** What operations without a `source` are announced under. */
export const ANONYMOUS_SOURCE = 'anonymous';

/** Routing key of a source's notifications: `operations.settled.<source>`. */
export const settledRoutingKey = (source: string): string => `${SETTLED_PATTERN}.${source}`;

/** One message per source and chunk, at least once; `<chunkId>:<source>` tells a repeated one. */
export interface IOperationsSettledEvent {
  chunkId: string;
  source: string;
  settledAt: string;
  completed: string[];
  failed: { id: string; code: ErrorCode; message: string }[];
}

/** The message as it travels: a NestJS consumer takes it with `@EventPattern('operations.settled')`. */
export interface IOperationsSettledMessage {
  pattern: typeof SETTLED_PATTERN;
  data: IOperationsSettledEvent;
}
