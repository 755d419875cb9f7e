import { SpanKind, type Span } from '@opentelemetry/api';
import type { SqlClient } from '../../interfaces/sql.js';
import { EVENTS_EXCHANGE, settledRoutingKey, type IOperationsSettledMessage } from '../../interfaces/settled-event.js';
import { groupBy } from '../values/group-by.js';
import { contextOf, headersOf, linksTo, markFailed, startSpan } from '../tracing/tracing.js';
import { selectNotificationTraces, type NotificationTraceRow } from './notification.sql.js';
import { messageIdOf, notificationOf, type RefusedMessage } from './settled-publisher.js';

/** The callers of a round that get a span. A round may have many chunks, and each of them many callers. */
const MAX_TRACES = 512;

/** The notification of a chunk for a source, and the traced callers whose operations it reports. */
interface TracedNotification {
  callers: readonly NotificationTraceRow[];
  /** One for each of its messages. */
  sending: Span[];
}

/**
 * The spans of notifications that are published together. A message reports operations of many callers, so the span that sends it is a
 * trace of its own, with links to them, and the receiver continues that trace. In the trace of each caller, a span `batch.notify` links
 * to it. Notifications without a traced caller have no spans.
 */
export class NotificationTraces {
  private readonly startTime = Date.now();
  private readonly headers = new Map<IOperationsSettledMessage, Record<string, string>>();

  private constructor(private readonly notifications: ReadonlyMap<string, TracedNotification>) {}

  /** Looks up the callers, and starts a span for each message. */
  static async begin(tx: SqlClient, messages: readonly IOperationsSettledMessage[]): Promise<NotificationTraces> {
    const chunkIds = [...new Set(messages.map(({ data }) => data.chunkId))];
    const { rows } = await tx.query<NotificationTraceRow>(selectNotificationTraces(chunkIds, MAX_TRACES));
    const traced = groupBy(rows, (row) => notificationOf({ data: row }));
    const notifications = new Map([...traced].map(([key, callers]) => [key, { callers, sending: [] as Span[] }]));
    const traces = new NotificationTraces(notifications);
    for (const message of messages) traces.startSending(message);
    return traces;
  }

  /** What the message carries to its receiver. Undefined when none of its callers is traced. */
  readonly headersOf = (message: IOperationsSettledMessage): Record<string, string> | undefined =>
    this.headers.get(message);

  published(refused: readonly RefusedMessage[]): void {
    const refusals = new Map(refused.map(({ message, reason }) => [notificationOf(message), reason]));
    this.end((key) => refusals.get(key));
  }

  failed(error: unknown): void {
    this.end(() => (error as Error).message);
  }

  private startSending(message: IOperationsSettledMessage): void {
    const notification = this.notifications.get(notificationOf(message));
    if (notification === undefined) return;
    const { chunkId, source, completed, failed } = message.data;
    const span = startSpan(`send ${EVENTS_EXCHANGE}`, {
      kind: SpanKind.PRODUCER,
      links: linksTo(notification.callers.map(({ traceparent }) => traceparent)),
      attributes: {
        'messaging.system': 'rabbitmq',
        'messaging.operation.name': 'send',
        'messaging.operation.type': 'send',
        'messaging.destination.name': EVENTS_EXCHANGE,
        'messaging.rabbitmq.destination.routing_key': settledRoutingKey(source),
        'messaging.message.id': messageIdOf(message),
        'batch.chunk.id': chunkId,
        'batch.operations': completed.length + failed.length,
      },
    });
    notification.sending.push(span);
    this.headers.set(message, headersOf(span));
  }

  private end(failureOf: (notification: string) => string | undefined): void {
    for (const [key, { callers, sending }] of this.notifications) {
      const reason = failureOf(key);
      const links = sending.map((span) => ({ context: span.spanContext() }));
      for (const { traceparent, chunkId, operations } of callers) {
        const attributes = { 'batch.chunk.id': chunkId, 'batch.operations': operations };
        const { startTime } = this;
        const span = startSpan('batch.notify', { startTime, attributes, links }, contextOf(traceparent));
        endSpan(span, reason);
      }
      for (const span of sending) endSpan(span, reason);
    }
  }
}

function endSpan(span: Span, reason: string | undefined): void {
  if (reason !== undefined) markFailed(span, 'NOT_PUBLISHED', reason);
  span.end();
}
