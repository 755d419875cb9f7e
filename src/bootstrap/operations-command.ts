import { parseArgs } from 'node:util';
import type { BulkActionKind } from '../interfaces/bulk-action.js';

/** Options and filters are texts, which the service checks as it checks a request. */
export type OperationsCommand =
  | { name: 'list'; query: Record<string, string | number>; json: boolean }
  | { name: BulkActionKind; request: { filter: object; dryRun: boolean; expected?: number } }
  | { name: 'show' | 'stop'; id: string };

export const OPERATIONS_USAGE = `Usage: npm run --silent operations -- <command> [filter]
  list   [filter] [--limit <n>] [--cursor <c>] [--json]  operations, newest first
  retry  <filter> [--dry-run] [--expected <n>]           executes failed operations again, at their old places
  cancel <filter> [--dry-run] [--expected <n>]           cancels operations that wait
  erase  <filter> [--dry-run] [--expected <n>]           deletes key and values of settled operations for good
  show <id>                                              how far a bulk action is
  stop <id>                                              stops a bulk action
Filter, each at most once: --status --target --source --code --constraint --chunk-id --created-after --created-before
  --settled-after --settled-before, and --id <uuid> of an operation, which may come up to 1000 times (not for list).
Times are ISO 8601 with zone, such as 2030-01-31T12:00:00Z. A bulk action that is interrupted goes on in the service.
`;

const FILTER_OPTIONS = {
  status: 'status',
  target: 'target',
  source: 'source',
  code: 'code',
  constraint: 'constraint',
  'chunk-id': 'chunkId',
  'created-after': 'createdAfter',
  'created-before': 'createdBefore',
  'settled-after': 'settledAfter',
  'settled-before': 'settledBefore',
} as const;

/** Undefined: the command line asks for something that does not exist. */
export function parseOperationsCommand(args: string[]): OperationsCommand | undefined {
  try {
    return read(args);
  } catch {
    // There is no such option.
    return undefined;
  }
}

function read(args: string[]): OperationsCommand | undefined {
  const filterOptions = Object.fromEntries(
    Object.keys(FILTER_OPTIONS).map((name) => [name, { type: 'string' as const }]),
  );
  const { positionals, values } = parseArgs({
    args,
    allowPositionals: true,
    options: {
      ...filterOptions,
      id: { type: 'string', multiple: true },
      limit: { type: 'string' },
      cursor: { type: 'string' },
      json: { type: 'boolean' },
      'dry-run': { type: 'boolean' },
      expected: { type: 'string' },
    },
  });
  const [name, id, ...others] = positionals;
  const given = new Set(Object.keys(values));
  const only = (...allowed: string[]): boolean => [...given].every((option) => allowed.includes(option));
  const filterNames = Object.keys(FILTER_OPTIONS);
  const all = new Map<string, unknown>(Object.entries(values));
  const filter = Object.fromEntries(
    Object.entries(FILTER_OPTIONS).flatMap(([option, field]) => (all.has(option) ? [[field, all.get(option)]] : [])),
  ) as Record<string, string>;
  const [limit, expected] = [numberOf(values.limit), numberOf(values.expected)];
  if (others.length > 0 || Number.isNaN(limit) || Number.isNaN(expected)) return undefined;
  switch (name) {
    case 'list': {
      if (id !== undefined || !only(...filterNames, 'limit', 'cursor', 'json')) return undefined;
      const page = {
        ...(limit !== undefined && { limit }),
        ...(values.cursor !== undefined && { cursor: values.cursor }),
      };
      return { name, query: { ...filter, ...page }, json: values.json ?? false };
    }
    case 'retry':
    case 'cancel':
    case 'erase': {
      if (id !== undefined || !only(...filterNames, 'id', 'dry-run', 'expected')) return undefined;
      const ids = values.id === undefined ? {} : { ids: values.id };
      const dryRun = values['dry-run'] ?? false;
      return { name, request: { filter: { ...filter, ...ids }, dryRun, ...(expected !== undefined && { expected }) } };
    }
    case 'show':
    case 'stop':
      return id === undefined || given.size > 0 ? undefined : { name, id };
    default:
      return undefined;
  }
}

/** NaN: it is no whole number. */
function numberOf(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  return /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN;
}
