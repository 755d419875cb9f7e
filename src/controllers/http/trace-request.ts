import { SpanKind } from '@opentelemetry/api';
import type { NextFunction, Request, Response } from 'express';
import { contextOfHeaders, isTracing, markFailed, runInSpan, startSpan } from '../../services/tracing/tracing.js';

/** Makes a span of a request, in the trace that its headers name. It ends with the answer, complete or not. */
export function traceRequest(request: Request, response: Response, next: NextFunction): void {
  if (!isTracing()) return next();
  const parent = contextOfHeaders(request.headers);
  const { method } = request;
  const attributes = {
    'http.request.method': method,
    'url.path': request.originalUrl.replace(/\?.*/s, ''),
    'url.scheme': request.protocol,
  };
  const span = startSpan(method, { kind: SpanKind.SERVER, attributes }, parent);
  response.once('close', () => {
    const route = routeOf(request);
    if (route !== undefined) span.setAttribute('http.route', route).updateName(`${method} ${route}`);
    const { statusCode } = response;
    span.setAttribute('http.response.status_code', statusCode);
    // By the conventions, an answer that blames the caller is no failure of the server.
    if (statusCode >= 500) markFailed(span, String(statusCode));
    span.end();
  });
  runInSpan(span, parent, next);
}

/** As its controller has declared it, without values of the caller. Undefined before it is known, and for an unknown path. */
function routeOf(request: Request): string | undefined {
  const { path } = (request.route ?? {}) as { path?: unknown };
  return typeof path === 'string' ? path : undefined;
}
