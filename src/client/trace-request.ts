import { context, propagation, SpanKind, SpanStatusCode, trace, type Span } from '@opentelemetry/api';
import { BatchServiceError } from './client-errors.js';

// The spans of the client, through the interface of OpenTelemetry. Without an SDK in the application they do nothing.

const tracer = trace.getTracer('batch-service/client');

/** True when the application has registered an SDK: only then is there a propagator with fields. */
const isTracing = (): boolean => propagation.fields().length > 0;

/** Headers by which the receiver of a message continues a trace. */
export type TraceHeaders = Record<string, string>;

export interface RequestMessage {
  /** The queue of the service. */
  queue: string;
  pattern: string;
  messageId: string;
}

/** Makes a span of a message to the service, from its sending to its answer, or to the confirm of the broker. */
export function traceRequest<T>(message: RequestMessage, exchange: (headers: TraceHeaders) => Promise<T>): Promise<T> {
  return isTracing() ? inSpan(message, exchange) : exchange({});
}

async function inSpan<T>(
  { queue, pattern, messageId }: RequestMessage,
  exchange: (headers: TraceHeaders) => Promise<T>,
): Promise<T> {
  const span = tracer.startSpan(`send ${queue}`, {
    kind: SpanKind.PRODUCER,
    attributes: {
      'messaging.system': 'rabbitmq',
      'messaging.operation.name': 'send',
      'messaging.operation.type': 'send',
      'messaging.destination.name': queue,
      'messaging.message.id': messageId,
      'batch.pattern': pattern,
    },
  });
  const headers: TraceHeaders = {};
  propagation.inject(trace.setSpan(context.active(), span), headers);
  return ending(span, () => exchange(headers));
}

/** Runs the handler of a notification in a span that continues the trace of its message. */
export async function traceNotification<T>(
  headers: Readonly<Record<string, unknown>> | undefined,
  exchange: string,
  handle: () => Promise<T>,
): Promise<T> {
  if (!isTracing()) return handle();
  const parent = propagation.extract(context.active(), headers ?? {});
  const span = tracer.startSpan(
    `process ${exchange}`,
    {
      kind: SpanKind.CONSUMER,
      attributes: {
        'messaging.system': 'rabbitmq',
        'messaging.operation.name': 'process',
        'messaging.operation.type': 'process',
        'messaging.destination.name': exchange,
      },
    },
    parent,
  );
  return ending(span, () => context.with(trace.setSpan(parent, span), handle));
}

async function ending<T>(span: Span, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    span.setAttribute('error.type', typeOf(error));
    // Without the message, which may quote values of a row.
    span.setStatus({ code: SpanStatusCode.ERROR });
    throw error;
  } finally {
    span.end();
  }
}

function typeOf(error: unknown): string {
  if (error instanceof BatchServiceError) return error.code;
  return error instanceof Error ? error.name : '_OTHER';
}
