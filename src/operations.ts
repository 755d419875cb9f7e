import { v7 as uuid } from 'uuid';
import { asSqlClient } from './batch/sql/as-sql-client.js';
import { onOneConnection } from './bootstrap/on-one-connection.js';
import {
  OPERATIONS_USAGE,
  optionOf,
  parseOperationsCommand,
  type OperationsCommand,
} from './bootstrap/operations-command.js';
import { readSettings } from './bootstrap/read-settings.js';
import { commandActor, explain, runCommand, say, UsageError } from './bootstrap/run-command.js';
import { StartError } from './bootstrap/start-error.js';
import { NOTIFY_CHANNEL } from './entities/functions/create-operations.js';
import type { IBulkAction } from './interfaces/bulk-action.js';
import type { SqlDatabase } from './interfaces/sql.js';
import { FULL_ACCESS } from './services/access/access.js';
import { BulkActions } from './services/bulk-actions/bulk-actions.js';
import { notifyWorkers } from './services/bulk-actions/bulk-actions.sql.js';
import { BulkWork } from './services/bulk-actions/bulk-work.js';
import type { Settings } from './services/config/settings.js';
import { RequestConnections } from './services/database/request-connections.js';
import { ServiceError } from './services/errors/service-error.js';
import { FILTER_FIELDS, filterFault, invalidFilter } from './services/outcomes/filter-fields.js';
import { listOperations } from './services/outcomes/list-operations.js';
import type { GivenOperation } from './services/outcomes/to-operation.js';
import { stringifyJson } from './services/values/exact-json.js';

// `node dist/operations.js list | retry | cancel | erase | show | stop` handles all operations that match a filter.

const SHOW_EVERY_MS = 1000;
const MOST_ON_PAGE = 1000;

await runCommand(OPERATIONS_USAGE, async (args) => {
  const command = parseOperationsCommand(args);
  await onOneConnection(readSettings(), (client, settings) =>
    execute(command, settings, databaseOn(asSqlClient(client))).catch(inWordsOfOptions),
  );
});

function databaseOn(sql: ReturnType<typeof asSqlClient>): SqlDatabase {
  return {
    ...sql,
    transaction: async (work) => {
      await sql.query({ text: 'begin' });
      try {
        const result = await work(sql);
        await sql.query({ text: 'commit' });
        return result;
      } catch (error) {
        await sql.query({ text: 'rollback' });
        throw error;
      }
    },
  };
}

/** The service names the fields of a request. Here these are options. */
function inWordsOfOptions(error: unknown): never {
  if (!(error instanceof ServiceError) || error.code !== 'INVALID_REQUEST') throw error;
  const field = error.details?.parameter;
  const named = typeof field === 'string' && field !== '';
  throw new UsageError(named ? error.message.replace(field, optionOf(field)) : error.message, { cause: error });
}

async function execute(command: OperationsCommand, { execution }: Settings, database: SqlDatabase): Promise<void> {
  const requests = new RequestConnections(database, { poolSize: 1, lockTimeoutMs: execution.lockTimeoutMs });
  const identity = uuid();
  const actions = new BulkActions(requests, identity);
  const work = new BulkWork(requests, identity, async (action) => {
    if (action === 'retry') await requests.query(notifyWorkers(NOTIFY_CHANNEL));
  });
  switch (command.name) {
    case 'list':
      return list(requests, command.query, command.json);
    case 'actions':
      return listActions(actions, command.page);
    case 'show':
      return say(line(await actions.get(command.id.toLowerCase(), FULL_ACCESS)));
    case 'stop':
      return say(line(await actions.stop(command.id.toLowerCase(), FULL_ACCESS, commandActor())));
    case 'retry':
    case 'cancel':
    case 'erase':
      return act(actions, work, command);
    default:
      command satisfies never;
  }
}

async function list(database: SqlDatabase, query: Record<string, string | number>, json: boolean): Promise<void> {
  for (const field of FILTER_FIELDS) {
    const value = new Map(Object.entries(query)).get(field);
    const fault = value === undefined ? undefined : filterFault(field, value);
    if (fault !== undefined) throw new ServiceError('INVALID_REQUEST', fault, { parameter: field });
  }
  checkLimit(Number(query.limit ?? 1));
  const { items, nextCursor } = await listOperations(database, query, FULL_ACCESS);
  for (const item of items) await say(json ? stringifyJson(item) : operationLine(item));
  explainPage(items.length, nextCursor);
}

async function listActions(actions: BulkActions, page: { limit?: number; cursor?: string }): Promise<void> {
  checkLimit(page.limit ?? 1);
  const { items, nextCursor } = await actions.list(page, FULL_ACCESS);
  for (const item of items) await say(`${item.createdAt} ${line(item)}`);
  explainPage(items.length, nextCursor);
}

function checkLimit(limit: number): void {
  if (limit >= 1 && limit <= MOST_ON_PAGE) return;
  throw invalidFilter('limit', `must be a whole number from 1 to ${MOST_ON_PAGE}`);
}

function explainPage(listed: number, nextCursor: string | undefined): void {
  const more = nextCursor === undefined ? '' : `; there may be more: --cursor ${nextCursor}`;
  explain(`${listed} listed${more}`);
}

async function act(
  actions: BulkActions,
  work: BulkWork,
  { name, request }: Extract<OperationsCommand, { request: object }>,
): Promise<void> {
  const begun = await actions.request(name, request, FULL_ACCESS, commandActor());
  if ('dryRun' in begun) return say(`${begun.exact ? '' : 'more than '}${begun.matched} operations match`);
  const interrupted = new AbortController();
  process.once('SIGINT', () => interrupted.abort());
  let action: IBulkAction = begun;
  while (action.status === 'running' && !interrupted.signal.aborted) {
    action = await work.workOn(begun.id, SHOW_EVERY_MS, interrupted.signal);
    if (action.status === 'running') explain(line(action));
  }
  await say(line(action));
  if (action.status === 'running') explain('The service goes on with it; `show` and `stop` take its id.');
  if (action.status === 'failed') throw new StartError(`The action failed: ${action.error ?? 'unknown'}`);
}

function line({ id, action, status, matched, done, skipped, error }: IBulkAction): string {
  const reason = error === undefined ? '' : ` ${JSON.stringify(error)}`;
  return `${id} ${action} ${status}: ${done} done, ${skipped} skipped, of ${matched}${reason}`;
}

function operationLine({ id, status, operationType, target, createdAt, error }: GivenOperation): string {
  const failure = error === undefined ? '' : ` ${error.code} ${JSON.stringify(error.message)}`;
  return `${createdAt} ${id} ${status} ${operationType} ${target}${failure}`;
}
