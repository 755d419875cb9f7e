import { createParamDecorator, type ExecutionContext } from '@nestjs/common';
import type { Access } from '../services/access/access.js';

/** By the request of Express or the context of the message. */
const granted = new WeakMap<object, Access>();

/** Remembers what the caller of a request may do, as long as the request exists. */
export function grantAccess(carrier: object, access: Access): void {
  granted.set(carrier, access);
}

/** @returns undefined when the caller was not identified */
export function grantedAccess(carrier: object): Access | undefined {
  return granted.get(carrier);
}

/** The object that represents a request: Express' own request, or the context of a message. */
export function carrierOf(context: ExecutionContext): object {
  return context.getType() === 'http'
    ? context.switchToHttp().getRequest<object>()
    : context.switchToRpc().getContext<object>();
}

/** The parameter of a handler that says what its caller may do. */
export const CallerAccess = createParamDecorator((_: unknown, context: ExecutionContext): Access => {
  const access = grantedAccess(carrierOf(context));
  // The guard is missing. Then it is safer to refuse everybody than to accept everybody.
  if (access === undefined) throw new Error(`${context.getClass().name} does not know its caller`);
  return access;
});
