import { inspect } from 'node:util';
import { BatchError } from './batch-error.js';

/** Longer descriptions are cut: a context or a page shows many of them. */
const MAX_LENGTH = 2500;
const MAX_CAUSES = 10;

/** The error and its causes, one a line, for an exit description. An error of the engine begins with its code. */
export function describeFailure(error: unknown): string {
  const lines: string[] = [];
  let current = error;
  for (let depth = 0; depth < MAX_CAUSES && current !== undefined; depth += 1) {
    lines.push(current instanceof Error ? `${titleOf(current)}: ${current.message}` : inspect(current));
    current = current instanceof Error ? current.cause : undefined;
  }
  const text = lines.join('\ncaused by ');
  return text.length > MAX_LENGTH ? `${text.slice(0, MAX_LENGTH)}…` : text;
}

const titleOf = (error: Error): string => (error instanceof BatchError ? error.code : errorNameOf(error));

/** Most classes of errors do not set `name`, and node-postgres sets "error". The name of the class says more then. */
export function errorNameOf(error: unknown): string {
  if (!(error instanceof Error)) return typeof error;
  return /^error$/i.test(error.name) ? error.constructor.name : error.name;
}
