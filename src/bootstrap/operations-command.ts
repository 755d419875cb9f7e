import type { BulkActionKind } from '../interfaces/bulk-action.js';
import { isUuid } from '../services/outcomes/filter-fields.js';
import { readOptions, refuseArguments, refuseOtherOptions, unknownCommand, UsageError } from './run-command.js';
import { numberOf, pageOf } from './page-options.js';

/** Options and filters are texts, which the service checks as it checks a request. */
export type OperationsCommand =
  | { name: 'list'; query: Record<string, string | number>; json: boolean }
  | { name: BulkActionKind; request: { filter: object; dryRun: boolean; expected?: number } }
  | { name: 'actions'; page: { limit?: number; cursor?: string } }
  | { name: 'show' | 'stop'; id: string };

export const OPERATIONS_USAGE = `Usage: npm run --silent operations -- <command> [filter]
  list   [filter] [--limit <n>] [--cursor <c>] [--json]  operations, newest first
  retry  <filter> [--dry-run] [--expected <n>]           executes failed operations again, at their old places
  cancel <filter> [--dry-run] [--expected <n>]           cancels operations that wait
  erase  <filter> [--dry-run] [--expected <n>]           deletes key and values of settled operations for good
  actions [--limit <n>] [--cursor <c>]                   bulk actions, newest first
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
const FILTER_NAMES = Object.keys(FILTER_OPTIONS) as readonly (keyof typeof FILTER_OPTIONS)[];

/** @throws UsageError */
export function parseOperationsCommand(args: string[]): OperationsCommand {
  const filterOptions = Object.fromEntries(
    Object.keys(FILTER_OPTIONS).map((name) => [name, { type: 'string' as const }]),
  );
  const { positionals, values } = readOptions({
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
  const [name, ...others] = positionals;
  const filter = filterOf(values);
  switch (name) {
    case 'list': {
      refuseArguments(name, others);
      refuseOtherOptions(name, values, [...FILTER_NAMES, 'limit', 'cursor', 'json']);
      return { name, query: { ...filter, ...pageOf(values) }, json: values.json ?? false };
    }
    case 'actions':
      refuseArguments(name, others);
      refuseOtherOptions(name, values, ['limit', 'cursor']);
      return { name, page: pageOf(values) };
    case 'retry':
    case 'cancel':
    case 'erase': {
      refuseArguments(name, others);
      refuseOtherOptions(name, values, [...FILTER_NAMES, 'id', 'dry-run', 'expected']);
      const expected = numberOf('expected', values.expected);
      const ids = values.id === undefined ? {} : { ids: values.id };
      if (Object.keys(filter).length === 0 && values.id === undefined) {
        throw new UsageError(
          `${name} needs a filter: at least one of ${[...FILTER_NAMES, 'id'].map((each) => `--${each}`).join(', ')}`,
        );
      }
      const dryRun = values['dry-run'] ?? false;
      return { name, request: { filter: { ...filter, ...ids }, dryRun, ...(expected !== undefined && { expected }) } };
    }
    case 'show':
    case 'stop': {
      const [id = '', ...more] = others;
      refuseArguments(name, more);
      refuseOtherOptions(name, values, []);
      if (!isUuid(id)) throw new UsageError(`The id of a bulk action is a UUID, not '${id}'`);
      return { name, id };
    }
    default:
      return unknownCommand(name);
  }
}

/** The name of a field of the filter, as an option of the command line. */
export function optionOf(field: string): string {
  if (field === 'ids') return '--id';
  const option = FILTER_NAMES.find((each) => FILTER_OPTIONS[each] === field);
  return `--${option ?? field}`;
}

function filterOf(values: object): Record<string, string> {
  const given = new Map(Object.entries(values) as [string, string][]);
  return Object.fromEntries(
    FILTER_NAMES.flatMap((option) => (given.has(option) ? [[FILTER_OPTIONS[option], given.get(option)!]] : [])),
  );
}
