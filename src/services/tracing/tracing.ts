import {
  context,
  propagation,
  ROOT_CONTEXT,
  SpanStatusCode,
  trace,
  TraceFlags,
  type Context,
  type Link,
  type Span,
  type SpanOptions,
  type TextMapGetter,
} from '@opentelemetry/api';
import { ownValue } from '../values/own-value.js';

// All spans of the service are made here, through the interface of OpenTelemetry. Without an SDK (see src/telemetry.ts) there are none,
// and nothing is stored or sent. The names of attributes are those of OpenTelemetry's semantic conventions; the service's own begin with
// `batch.`.

/** A span has at most this many links, and a chunk this many spans in the traces of its callers. It is the SDK's own limit. */
export const MAX_LINKS = 128;

const tracer = trace.getTracer('batch-service');

/** True when an SDK is registered: only then is there a propagator with fields. */
export function isTracing(): boolean {
  return propagation.fields().length > 0;
}

/**
 * The current span as W3C's `traceparent`, as it is stored with an operation. Null when there is none, or when it is not sampled: then
 * nobody could look at what would follow from it.
 */
export function currentTraceparent(): string | null {
  const span = trace.getActiveSpan()?.spanContext();
  if (span === undefined || (span.traceFlags & TraceFlags.SAMPLED) === 0) return null;
  return `00-${span.traceId}-${span.spanId}-01`;
}

/** The context of a stored `traceparent`, or of a message that carries one in its headers. */
export function contextOf(traceparent: string): Context {
  return propagation.extract(ROOT_CONTEXT, { traceparent });
}

/** Headers of messages have values of any type, and any caller may have written them. */
export function contextOfHeaders(headers: Readonly<Record<string, unknown>> | undefined): Context {
  return propagation.extract(ROOT_CONTEXT, headers ?? {}, HEADERS);
}

const HEADERS: TextMapGetter<Readonly<Record<string, unknown>>> = {
  keys: (headers) => Object.keys(headers),
  get(headers, name) {
    const value = ownValue(headers, name);
    return typeof value === 'string' ? value : undefined;
  },
};

/** Headers with which the receiver of a message continues the trace of this span. */
export function headersOf(span: Span): Record<string, string> {
  const headers = new Map<string, string>();
  propagation.inject(trace.setSpan(ROOT_CONTEXT, span), headers, {
    set: (carrier, name, value) => void carrier.set(name, value),
  });
  return Object.fromEntries(headers);
}

/** At most `MAX_LINKS` links. */
export function linksTo(traceparents: Iterable<string>): Link[] {
  const links: Link[] = [];
  for (const traceparent of traceparents) {
    if (links.length === MAX_LINKS) break;
    const span = trace.getSpanContext(contextOf(traceparent));
    if (span !== undefined) links.push({ context: span });
  }
  return links;
}

/** @param parent default: none, even if the code runs for a request */
export function startSpan(name: string, options: SpanOptions, parent: Context = ROOT_CONTEXT): Span {
  return tracer.startSpan(name, options, parent);
}

/** Runs `work` with the span as the current one. Does not end the span. */
export function runInSpan<T>(span: Span, parent: Context, work: () => T): T {
  return context.with(trace.setSpan(parent, span), work);
}

/** @param type a stable code, such as one of `ERROR_CODES` */
export function markFailed(span: Span, type: string, message?: string): void {
  span.setAttribute('error.type', type);
  span.setStatus({ code: SpanStatusCode.ERROR, ...(message !== undefined && { message }) });
}

/**
 * Sends the spans that have ended to where the SDK sends them, if one is registered. Only providers of an SDK can do that; the interface
 * of OpenTelemetry does not have it.
 */
export async function flushSpans(): Promise<void> {
  const provider = trace.getTracerProvider() as { getDelegate?(): { forceFlush?(): Promise<void> } };
  await provider.getDelegate?.().forceFlush?.();
}
