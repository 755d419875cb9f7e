import { applyDecorators, SetMetadata, type ExecutionContext } from '@nestjs/common';
import type { Reflector } from '@nestjs/core';
import { ApiExtension, ApiSecurity } from '@nestjs/swagger';
import type { Requirement, Scope } from '../services/access/access.js';

const REQUIREMENT = 'batch-service:requirement';

/** In the description of the API: the scope that an operation needs. */
export const SCOPE_EXTENSION = 'x-required-scope';
/** In the description of the API: whether a key that is limited to targets will not do. */
export const EVERY_TARGET_EXTENSION = 'x-every-target';

/** The names under which the description of the API has the two headers that carry a key. */
export const SECURITY_SCHEMES = { bearer: 'bearer', header: 'apiKey' } as const;

/**
 * The scope that a key needs for an endpoint or a message pattern. `everyTarget`: it tells of, or acts on, the tables of everybody,
 * so that a key limited to some targets will not do; always so for `admin`. Without this decorator, or `OpenToAll`, nobody is
 * let in.
 */
export function RequireScope(scope: Scope, { everyTarget = scope === 'admin' } = {}): MethodDecorator & ClassDecorator {
  const requirement: Requirement = { scope, everyTarget };
  return applyDecorators(
    SetMetadata(REQUIREMENT, requirement),
    ApiExtension(SCOPE_EXTENSION, scope),
    ApiExtension(EVERY_TARGET_EXTENSION, everyTarget),
    ApiSecurity(SECURITY_SCHEMES.bearer),
    ApiSecurity(SECURITY_SCHEMES.header),
  );
}

/** For what needs no key anywhere. */
export function OpenToAll(): MethodDecorator & ClassDecorator {
  return SetMetadata(REQUIREMENT, 'none');
}

/** What was declared for the handler, or else for its class; undefined where that was forgotten. */
export function requirementOf(reflector: Reflector, context: ExecutionContext): Requirement | 'none' | undefined {
  return reflector.getAllAndOverride<Requirement | 'none' | undefined>(REQUIREMENT, [
    context.getHandler(),
    context.getClass(),
  ]);
}
