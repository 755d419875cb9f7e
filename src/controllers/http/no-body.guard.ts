import { Injectable, type CanActivate, type ExecutionContext } from '@nestjs/common';
import { ROUTE_ARGS_METADATA } from '@nestjs/common/constants.js';
import { RouteParamtypes } from '@nestjs/common/internal.js';
import type { Request } from 'express';
import { quoteForMessage } from '../../services/errors/quote-for-message.js';
import { ServiceError } from '../../services/errors/service-error.js';
import { isPlainObject } from '../../services/intake/check-json.js';

/**
 * Refuses a request that has a body where the endpoint reads none. Otherwise a caller would believe that a field such as
 * `dryRun` does something.
 */
@Injectable()
export class NoBodyGuard implements CanActivate {
  /** @throws ServiceError INVALID_REQUEST */
  canActivate(context: ExecutionContext): boolean {
    if (context.getType() !== 'http' || readsBody(context)) return true;
    const { body } = context.switchToHttp().getRequest<Request>() as { body: unknown };
    if (body === undefined || body === null) return true;
    // A body for such an endpoint is small, see `readJsonBody`, so it may be walked.
    const [field] = isPlainObject(body) ? Object.keys(body) : [''];
    if (field === undefined) return true;
    if (field === '') throw new ServiceError('INVALID_REQUEST', 'This request takes no body');
    const message = `This request takes no body; it has the field ${quoteForMessage(field)}`;
    throw new ServiceError('INVALID_REQUEST', message, { parameter: field });
  }
}

function readsBody(context: ExecutionContext): boolean {
  const parameters = (Reflect.getMetadata(ROUTE_ARGS_METADATA, context.getClass(), context.getHandler().name) ??
    {}) as object;
  return Object.keys(parameters).some((key) => key.startsWith(`${RouteParamtypes.BODY}:`));
}
