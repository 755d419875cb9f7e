import type { KeyScope } from '../../interfaces/access.js';
import type { TargetList } from '../catalog/target-list.js';
import { parseTargetName } from '../catalog/target-name.js';
import { ServiceError } from '../errors/service-error.js';

/** What a caller may do. */
export interface Access {
  /** Undefined for a caller that needs no key. */
  keyId: string | undefined;
  scopes: readonly KeyScope[];
  /**
   * The broker's user, which the broker has checked. Undefined when the message did not name it, or did not come
   * through the broker.
   */
  user?: string;
  /** The tables to which the caller is limited. Undefined: all that the service allows. */
  targets: TargetList | undefined;
  /** The sources for which the caller may send operations. Undefined: any source. */
  sources: readonly string[] | undefined;
}

/** The access of a caller where no keys are required. */
export const FULL_ACCESS: Access = { keyId: undefined, scopes: ['admin'], targets: undefined, sources: undefined };

/**
 * The caller as it is stored with its actions (`created_by`, the audit): `key:<id>`, or `user:<name>` for a user of the
 * broker. Undefined when nothing is known of the caller.
 */
export function callerName({ keyId, user }: Access): string | undefined {
  if (keyId !== undefined) return `key:${keyId}`;
  return user === undefined ? undefined : `user:${user}`;
}

/** What a request needs. */
export interface Requirement {
  scope: KeyScope;
  /**
   * True when the request shows or changes the tables of all callers. Then a key that is limited to some tables is
   * refused.
   */
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

/** @param target as a caller writes it, or a `Table.id`. A limited caller does not reach an invalid name */
export function reaches({ targets }: Access, target: string): boolean {
  if (targets === undefined) return true;
  const name = parseTargetName(target);
  return name !== undefined && targets.includes(name);
}
