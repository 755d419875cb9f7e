import type { z } from 'zod';

/** No value is shown from a field or variable that may hold a secret. */
const MAY_BE_SECRET = /URL|PASSWORD|CONFIG|password/;
const LONGEST_SHOWN = 60;

/**
 * What is wrong, one line for each fault: the name, what was expected, and what was given instead.
 *
 * @param prefix comes before the path of a value: the name of the variable that holds the JSON
 */
export function faultsOf(error: z.ZodError, given: unknown, prefix = ''): string[] {
  return error.issues.flatMap((issue) => {
    const path = issue.path.map(String);
    const name = nameOf(prefix, path);
    if (issue.code === 'unrecognized_keys') {
      return issue.keys.map((key) => `${nameOf(prefix, [...path, key])}: is not known; remove it, or correct its name`);
    }
    const message = issue.code === 'custom' ? issue.message : 'expected an object';
    return [`${name}: ${message}${shown(path.at(-1) ?? prefix, valueAt(given, path))}`];
  });
}

function nameOf(prefix: string, path: readonly string[]): string {
  return [prefix, ...path].filter((part) => part !== '').join('.');
}

function shown(name: string, value: unknown): string {
  if (value === undefined) return '; it is missing';
  if (MAY_BE_SECRET.test(name) || typeof value === 'object') return '';
  return `; got ${JSON.stringify(value).slice(0, LONGEST_SHOWN)}`;
}

function valueAt(value: unknown, path: readonly string[]): unknown {
  return path.reduce((at, key) => new Map(Object.entries(at ?? {})).get(key) as unknown, value);
}
