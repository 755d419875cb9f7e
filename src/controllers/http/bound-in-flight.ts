import type { NextFunction, Request, Response } from 'express';
import type { InFlightBudget } from '../../services/backpressure/in-flight-budget.js';
import { grantedAccess } from '../caller-access.js';

/**
 * Middleware that refuses a body before any of it is read if there is no room for it in the process, or in the share of
 * its caller's key. What was taken is given back when the response has ended, complete or not.
 */
export function boundInFlight(budget: InFlightBudget, maxKb: number) {
  return (request: Request, response: Response, next: NextFunction): void => {
    const bytes = bodyBytes(request, maxKb * 1024);
    if (bytes === 0) return next();
    try {
      response.once('close', budget.take(bytes, grantedAccess(request)?.keyId));
    } catch (error) {
      return next(error);
    }
    next();
  };
}

/** An upper limit: the size of a body that is compressed, or comes in pieces, is known only after reading it. */
function bodyBytes({ headers }: Request, limit: number): number {
  const { 'transfer-encoding': pieces, 'content-encoding': encoding = 'identity' } = headers;
  if (pieces !== undefined) return limit;
  const length = Number(headers['content-length'] ?? 0);
  if (length === 0) return 0;
  return encoding === 'identity' ? Math.min(length, limit) : limit;
}
