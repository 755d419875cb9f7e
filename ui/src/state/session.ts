import { computed, signal } from '@preact/signals';
import type { IAccess, KeyScope } from '../../../src/interfaces/access.js';

// The key lives as long as the tab: never in the address, never in what outlives the session.

const KEY = 'batch-service.api-key';

export const apiKey = signal<string | undefined>(window.sessionStorage.getItem(KEY) ?? undefined);
/** Undefined until the service has told it. */
export const access = signal<IAccess | undefined>(undefined);
/** Why the service wants a key, or another one. Undefined while it accepts the requests. */
export const keyProblem = signal<string | undefined>(undefined);

export function setKey(key: string | undefined): void {
  if (key === undefined) window.sessionStorage.removeItem(KEY);
  else window.sessionStorage.setItem(KEY, key);
  apiKey.value = key;
  access.value = undefined;
}

const scopes = computed(() => access.value?.scopes ?? []);

/** Why an action is refused to this key. Undefined: it is allowed, as far as the dashboard knows. */
export function whyRefused(scope: KeyScope): string | undefined {
  if (access.value === undefined) return undefined;
  if (!scopes.value.includes('admin') && !scopes.value.includes(scope))
    return `This needs an API key of scope ${scope}`;
  if (scope === 'admin' && !access.value.everyTarget) return 'This needs an API key that is not limited to targets';
  return undefined;
}
