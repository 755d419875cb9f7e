import type { NextFunction, Request, Response } from 'express';
import type { RateLimitStorage } from '../../services/access/rate-limit.storage.js';
import type { Settings } from '../../services/config/settings.js';
import { grantedAccess } from '../caller-access.js';
import { rateLimited } from '../rate-limit.guard.js';

/**
 * Middleware that counts the requests of an API key and refuses those beyond its limit. It comes after
 * `identifyCallers` and before the parser, so malformed requests and unknown paths count too, and the body of a refused
 * request is not read.
 */
export function limitRequests(storage: RateLimitStorage, { access }: Pick<Settings, 'access'>) {
  const { rateLimit: limit, rateLimitWindowMs: windowMs } = access;
  return (request: Request, response: Response, next: NextFunction): void => {
    const key = grantedAccess(request)?.keyId;
    if (limit === 0 || key === undefined) return next();
    storage.increment(key).then(({ totalHits, timeToExpire, isBlocked, timeToBlockExpire }) => {
      if (isBlocked) return next(rateLimited({ limit, windowMs, retryAfterSeconds: timeToBlockExpire }));
      response.setHeader('X-RateLimit-Limit', limit);
      response.setHeader('X-RateLimit-Remaining', Math.max(0, limit - totalHits));
      response.setHeader('X-RateLimit-Reset', timeToExpire);
      next();
    }, next);
  };
}
