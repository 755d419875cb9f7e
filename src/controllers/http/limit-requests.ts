import type { NextFunction, Request, Response } from 'express';
import type { RateLimitService } from '../../services/access/rate-limit.service.js';
import { grantedAccess } from '../caller-access.js';

/**
 * Middleware that counts the requests of an API key and refuses those beyond its limit. It comes after
 * `identifyCallers` and before the parser, so malformed requests and unknown paths count too, and the body of a refused
 * request is not read.
 */
export function limitRequests(limits: RateLimitService) {
  return (request: Request, response: Response, next: NextFunction): void => {
    limits.count(grantedAccess(request)?.keyId).then((state) => {
      if (state !== undefined) {
        response.setHeader('X-RateLimit-Limit', state.limit);
        response.setHeader('X-RateLimit-Remaining', state.remaining);
        response.setHeader('X-RateLimit-Reset', state.resetSeconds);
      }
      next();
    }, next);
  };
}
