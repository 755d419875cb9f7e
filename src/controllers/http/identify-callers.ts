import type { NextFunction, Request, Response } from 'express';
import type { AccessService } from '../../services/access/access.service.js';
import { grantAccess } from '../caller-access.js';

const BEARER = /^Bearer +(\S+) *$/i;

/** Middleware that refuses a caller without a valid key, where keys are required, before any of its body is read. */
export function identifyCallers(access: AccessService) {
  return (request: Request, _response: Response, next: NextFunction): void => {
    access.authenticate(apiKeyOf(request)).then((granted) => {
      grantAccess(request, granted);
      next();
    }, next);
  };
}

/** `Authorization: Bearer <key>`, or `X-API-Key: <key>`. */
function apiKeyOf({ headers }: Request): unknown {
  const [, bearer] = BEARER.exec(headers.authorization ?? '') ?? [];
  return bearer ?? headers['x-api-key'];
}
