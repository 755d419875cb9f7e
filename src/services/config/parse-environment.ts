import { shown } from '../catalog/shown.js';
import { didYouMean } from '../errors/nearest-name.js';
import { ownValue } from '../values/own-value.js';
import { environmentSchema, expectationOf, type Environment } from './environment-schema.js';

/**
 * Checks each variable by itself.
 *
 * @returns the environment, undefined when a value is wrong; and what is wrong
 */
export function parseEnvironment(given: NodeJS.ProcessEnv): { environment: Environment | undefined; faults: string[] } {
  const { data: environment, error } = environmentSchema.safeParse(given);
  const wrong = (error?.issues ?? []).map(({ path: [name] }) => String(name));
  return { environment, faults: wrong.map((name) => wrongValue(name, ownValue(given, name) ?? '')) };
}

/** Zod's own messages are written for developers, so operators never see them. */
function wrongValue(name: string, value: string): string {
  const { expected, words = [] } = expectationOf(name);
  const got = mayBeSecret(name) ? '' : `; got ${shown(value)}${didYouMean(value, words)}`;
  return `${name}: expected ${expected}${got}`;
}

/** The value helps to find the fault. But a log must not show a password, and a URL may contain one. */
function mayBeSecret(name: string): boolean {
  return /URL|PASSWORD|SECRET/.test(name);
}
