import { applyDecorators, SetMetadata, type ExecutionContext } from '@nestjs/common';
import type { Reflector } from '@nestjs/core';
import { ApiExtension, ApiSecurity } from '@nestjs/swagger';
import type { KeyScope } from '../interfaces/access.js';
import type { Requirement } from '../services/access/access.js';

const REQUIREMENT = 'batch-service:requirement';

/** In the description of the API: the scope that an operation needs. */
export const SCOPE_EXTENSION = 'x-required-scope';
/** In the description of the API: whether a key that is limited to targets is refused. */
export const EVERY_TARGET_EXTENSION = 'x-every-target';

/** The names of the two headers for a key in the description of the API. */
export const SECURITY_SCHEMES = { bearer: 'bearer', header: 'apiKey' } as const;

/**
 * The scope that a key needs for an endpoint or a message pattern. `everyTarget`: the endpoint shows or changes the
 * tables of all callers, so a key that is limited to some targets is refused; this is always so for `admin`. Without
 * this decorator, or `OpenToAll`, every caller is refused.
 */
export function RequireScope(
  scope: KeyScope,
  { everyTarget = scope === 'admin' } = {},
): MethodDecorator & ClassDecorator {
  const requirement: Requirement = { scope, everyTarget };
  return applyDecorators(
    SetMetadata(REQUIREMENT, requirement),
    ApiExtension(SCOPE_EXTENSION, scope),
    ApiExtension(EVERY_TARGET_EXTENSION, everyTarget),
    ApiSecurity(SECURITY_SCHEMES.bearer),
    ApiSecurity(SECURITY_SCHEMES.header),
  );
}

/** For endpoints that never need a key. */
export function OpenToAll(): MethodDecorator & ClassDecorator {
  return SetMetadata(REQUIREMENT, 'none');
}

/** What was declared for the handler, or else for its class. Undefined if nothing was declared. */
export function requirementOf(reflector: Reflector, context: ExecutionContext): Requirement | 'none' | undefined {
  return reflector.getAllAndOverride<Requirement | 'none' | undefined>(REQUIREMENT, [
    context.getHandler(),
    context.getClass(),
  ]);
}
