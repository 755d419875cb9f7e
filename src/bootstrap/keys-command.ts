import { SCOPES, type KeyScope } from '../interfaces/access.js';
import type { ApiKeyRequest } from '../services/access/api-keys.service.js';
import { isSource } from '../services/access/sources.js';
import { TargetList } from '../services/catalog/target-list.js';
import { InvalidSettingsError } from '../services/config/invalid-settings.error.js';
import { readOptions, unknownCommand, UsageError } from './run-command.js';

export type KeysCommand =
  { kind: 'create'; key: ApiKeyRequest } | { kind: 'list' } | { kind: 'revoke'; id: string } | { kind: 'rotate' };

export const KEYS_USAGE = `Usage: npm run --silent keys -- create --name <who> --scope <scope> …
                                              [--source <source> … | --any-source] [--target <table> …] [--expires-in-days <n>]
       npm run --silent keys -- list
       npm run --silent keys -- revoke <id>
       npm run --silent keys -- rotate

  --name             who uses the key: 1 to 100 characters
  --scope            read, write or admin (everything); may be given more than once
  --source           a source for which the key may send operations; may be given more than once; default: the --name
  --any-source       the key may send operations for any source
  --target           a table to which the key is limited: table, schema.table or schema.*; may be given more than once
  --expires-in-days  the key expires after this many days, 1 to 36500; default: never

create writes the key to stdout; it cannot be shown again. rotate uses API_KEY_ENCRYPTION_SECRET to encrypt
again what API_KEY_ENCRYPTION_SECRET_PREVIOUS encrypted. In production: node dist/keys.js …
`;

const LONGEST_NAME = 100;
const MOST_DAYS = 36_500;

/** @throws UsageError */
export function parseKeysCommand(args: readonly string[]): KeysCommand {
  const [command, ...rest] = args;
  switch (command) {
    case 'create':
      return { kind: 'create', key: parseCreate(rest) };
    case 'list':
      if (rest.length > 0) throw new UsageError('list takes no arguments');
      return { kind: 'list' };
    case 'rotate':
      if (rest.length > 0) throw new UsageError('rotate takes no arguments');
      return { kind: 'rotate' };
    case 'revoke':
      return { kind: 'revoke', id: parseId(rest) };
    default:
      return unknownCommand(command);
  }
}

function parseCreate(args: string[]): ApiKeyRequest {
  const { name: given, scope, source, 'any-source': anySource, target, 'expires-in-days': days } = optionsOf(args);
  const name = parseName(given);
  return {
    name,
    scopes: parseScopes(scope ?? []),
    targets: target && parseTargets(target),
    sources: parseSources(name, source, anySource),
    expiresInDays: days === undefined ? undefined : parseDays(days),
  };
}

function optionsOf(args: string[]) {
  return readOptions({
    args,
    options: {
      name: { type: 'string' },
      scope: { type: 'string', multiple: true },
      source: { type: 'string', multiple: true },
      'any-source': { type: 'boolean', default: false },
      target: { type: 'string', multiple: true },
      'expires-in-days': { type: 'string' },
    },
  }).values;
}

function parseName(name: string | undefined): string {
  if (name !== undefined && name.trim() !== '' && name.length <= LONGEST_NAME && !name.includes('\0')) return name;
  throw new UsageError(`--name is needed: who uses the key, in 1 to ${LONGEST_NAME} characters`);
}

function parseScopes(given: readonly string[]): KeyScope[] {
  const wrong = given.find((scope) => !isScope(scope));
  if (wrong !== undefined) throw new UsageError(`--scope must be one of ${SCOPES.join(', ')}, not '${wrong}'`);
  if (given.length === 0) throw new UsageError(`--scope is needed: ${SCOPES.join(', ')}`);
  return [...new Set(given.filter(isScope))];
}

function parseTargets(given: string[]): string[] {
  try {
    TargetList.ofKey(given);
    return given;
  } catch (error) {
    if (!(error instanceof InvalidSettingsError)) throw error;
    throw new UsageError(error.faults.join('; '), { cause: error });
  }
}

/** @returns undefined for any source */
function parseSources(name: string, given: readonly string[] | undefined, any: boolean): string[] | undefined {
  if (any && given !== undefined) throw new UsageError('use either --source or --any-source, not both');
  if (any) return undefined;
  const wrong = given?.find((source) => !isSource(source));
  if (wrong !== undefined) {
    throw new UsageError(`--source must be 1 to 100 letters, digits, hyphens and underscores, not '${wrong}'`);
  }
  if (given !== undefined) return [...new Set(given)];
  if (isSource(name)) return [name];
  throw new UsageError(
    '--source or --any-source is required: the --name cannot be a source, which has only letters, digits, hyphens and underscores',
  );
}

function parseDays(text: string): number {
  const days = Number(text);
  if (/^\d+$/.test(text) && days >= 1 && days <= MOST_DAYS) return days;
  throw new UsageError(`--expires-in-days must be a whole number from 1 to ${MOST_DAYS}, not '${text}'`);
}

function parseId(args: readonly string[]): string {
  const [id] = args;
  if (id !== undefined && args.length === 1) return id;
  throw new UsageError('revoke takes the id of one key, which `list` shows');
}

function isScope(text: string): text is KeyScope {
  return SCOPES.some((scope) => scope === text);
}
