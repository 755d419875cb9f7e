import type { NextFunction, Request, Response } from 'express';
import type { AccessService } from '../../services/access/access.service.js';
import { ServiceError } from '../../services/errors/service-error.js';
import { grantAccess } from '../caller-access.js';

const BEARER = /^Bearer +(\S+) *$/i;

/**
 * Middleware that refuses a caller without a valid key, where keys are required, before any of its body is read. A
 * caller that keeps sending loses its connection too.
 */
export function identifyCallers(access: AccessService) {
  return (request: Request, response: Response, next: NextFunction): void => {
    access.identify(apiKeyOf(request), request.ip ?? '').then(
      (granted) => {
        grantAccess(request, granted);
        next();
      },
      (error: unknown) => {
        if (error instanceof ServiceError && error.code === 'RATE_LIMITED') response.setHeader('connection', 'close');
        next(error);
      },
    );
  };
}

/** `Authorization: Bearer <key>`, or `X-API-Key: <key>`. */
function apiKeyOf({ headers }: Request): unknown {
  const [, bearer] = BEARER.exec(headers.authorization ?? '') ?? [];
  return bearer ?? headers['x-api-key'];
}
