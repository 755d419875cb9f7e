import type { TargetList } from '../catalog/target-list.js';
import { parseTargetName } from '../catalog/target-name.js';
import { ServiceError } from '../errors/service-error.js';

/** `read`: look at operations and the service; `write`: create, cancel and retry operations; `admin`: everything. */
export const SCOPES = ['read', 'write', 'admin'] as const;
export type Scope = (typeof SCOPES)[number];

/** What a caller may do. */
export interface Access {
  /** Undefined: a caller who needs no key. */
  keyId: string | undefined;
  scopes: readonly Scope[];
  /** Of the broker, which has checked it; undefined: the caller did not come that way, or did not tell it. */
  user?: string;
  /** The tables that the caller is limited to; undefined: all that the service allows. */
  targets: TargetList | undefined;
  /** In whose name the caller may hand over operations; undefined: in any. */
  sources: readonly string[] | undefined;
}

/** Of a caller where no keys are required. */
export const FULL_ACCESS: Access = { keyId: undefined, scopes: ['admin'], targets: undefined, sources: undefined };

/**
 * The caller as what he does keeps him (`created_by`, the audit): `key:<id>`, or `user:<name>` of the broker; undefined when nothing is
 * known of him.
 */
export function callerName({ keyId, user }: Access): string | undefined {
  if (keyId !== undefined) return `key:${keyId}`;
  return user === undefined ? undefined : `user:${user}`;
}

/** What a request needs. */
export interface Requirement {
  scope: Scope;
  /** It tells of, or acts on, the tables of everybody: not for a key that is limited to some. */
  everyTarget: boolean;
}

/** @throws ServiceError SCOPE_REQUIRED */
export function assertMeets({ scopes, targets }: Access, { scope, everyTarget }: Requirement): void {
  if (!scopes.includes('admin') && !scopes.includes(scope)) {
    throw new ServiceError('SCOPE_REQUIRED', `This needs an API key of scope ${scope}`, { scope });
  }
  if (everyTarget && targets !== undefined) {
    throw new ServiceError('SCOPE_REQUIRED', `This needs an API key of scope ${scope} that is not limited to targets`, {
      scope,
    });
  }
}

/** @param target as a caller writes it, or a `Table.id`. What is no name belongs to nobody who is limited. */
export function reaches({ targets }: Access, target: string): boolean {
  if (targets === undefined) return true;
  const name = parseTargetName(target);
  return name !== undefined && targets.includes(name);
}
