import type { NextFunction, Request, Response } from 'express';
import { REQUEST_ID_HEADER, requestIdFrom, runInRequest } from './request-context.js';

/** Express middleware: takes or creates the request's id, returns it in the answer, and adds it to the log lines. */
export function requestIdMiddleware(request: Request, response: Response, next: NextFunction): void {
  const requestId = requestIdFrom(request.headers[REQUEST_ID_HEADER]);
  response.setHeader(REQUEST_ID_HEADER, requestId);
  runInRequest(requestId, next);
}
