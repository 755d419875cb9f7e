import type { NextFunction, Request, Response } from 'express';
import { ServiceError } from '../../services/errors/service-error.js';
import type { DrainService } from '../../services/health/drain.service.js';

/** Middleware that refuses new requests while the process stops. Requests that were begun are answered. */
export function refuseWhileStopping(drain: DrainService) {
  return (_request: Request, response: Response, next: NextFunction): void => {
    if (!drain.begun) return next();
    // The next request uses a new connection, and so reaches another process.
    response.setHeader('connection', 'close');
    next(new ServiceError('SHUTTING_DOWN', 'The service is stopping; nothing was done, send the request again'));
  };
}
