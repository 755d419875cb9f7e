import type pg from 'pg';
import { commandActor } from './bootstrap/command-actor.js';
import {
  NOTIFICATIONS_USAGE,
  parseNotificationsCommand,
  type NotificationsCommand,
} from './bootstrap/notifications-command.js';
import { onOneConnection } from './bootstrap/on-one-connection.js';
import { readSettings } from './bootstrap/read-settings.js';
import { OutputError, say } from './bootstrap/standard-output.js';
import { LACKS_MIGRATIONS, StartError } from './bootstrap/start-error.js';
import type { IParkedNotification } from './interfaces/notification.js';
import type { Settings } from './services/config/settings.js';
import { asSqlClient } from './services/database/as-sql-client.js';
import { isUndefinedTable } from './services/database/classify-failure.js';
import { RequestConnections } from './services/database/request-connections.js';
import type { SqlClient } from './services/database/sql.js';
import { sqlStateOf } from './services/database/sql-state.js';
import { ServiceError } from './services/errors/service-error.js';
import { announceChunk } from './services/notification/announce-chunk.js';
import { listParked, skipParked } from './services/notification/parked-notifications.js';

// `node dist/notifications.js list | announce | skip`: what to do with the notifications that the broker refuses.

process.exitCode = await main(process.argv.slice(2));

async function main(args: readonly string[]): Promise<number> {
  const command = parseNotificationsCommand(args);
  if (command === undefined) return fail(NOTIFICATIONS_USAGE, 2);
  try {
    if (command.name === 'help') await say(NOTIFICATIONS_USAGE.trimEnd());
    else {
      await onOneConnection(readSettings(), (client, settings) =>
        execute(command, settings, requestsOn(client, settings)),
      );
    }
    return 0;
  } catch (error) {
    if (error instanceof OutputError && error.readerGone) return 0;
    return fail(`${reasonOf(error)}\n`, 1);
  }
}

/** It uses the database as callers' requests do: nothing waits long for a lock. */
function requestsOn(client: pg.Client, { execution }: Settings): RequestConnections {
  const sql = asSqlClient(client);
  const transaction = async <T>(work: (tx: SqlClient) => Promise<T>): Promise<T> => {
    await client.query('begin');
    // After an error the connection is closed, which rolls back.
    const result = await work(sql);
    await client.query('commit');
    return result;
  };
  return new RequestConnections({ ...sql, transaction }, { poolSize: 1, lockTimeoutMs: execution.lockTimeoutMs });
}

async function execute(
  command: Exclude<NotificationsCommand, { name: 'help' }>,
  settings: Settings,
  requests: RequestConnections,
): Promise<void> {
  switch (command.name) {
    case 'list':
      return list(requests);
    case 'announce':
      await announceChunk(requests, settings, command.chunkId, commandActor());
      return explain(`Chunk ${command.chunkId} will be announced to every source by a running worker.`);
    case 'skip': {
      const { sources } = await skipParked(requests, command.chunkId, commandActor());
      return explain(`Not told of chunk ${command.chunkId}: ${sources.join(', ')}.`);
    }
    default:
      command satisfies never;
  }
}

async function list(requests: RequestConnections): Promise<void> {
  const { total, items } = await listParked(requests);
  for (const item of items) await say(line(item));
  explain(`${total} parked${total > items.length ? `, the oldest ${items.length} of them shown` : ''}`);
}

function line({ chunkId, source, failures, parkedAt, reason }: IParkedNotification): string {
  return `${chunkId} ${source} ${failures} ${parkedAt} ${JSON.stringify(reason)}`;
}

function reasonOf(error: unknown): string {
  if (error instanceof StartError || error instanceof OutputError || error instanceof ServiceError)
    return error.message;
  if (isUndefinedTable(error)) return LACKS_MIGRATIONS;
  if (sqlStateOf(error) !== undefined) return (error as Error).message;
  throw error;
}

function explain(text: string): void {
  process.stderr.write(`${text}\n`);
}

function fail(text: string, status: number): number {
  process.stderr.write(text);
  return status;
}
