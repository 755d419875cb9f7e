import { Logger } from '@nestjs/common';
import { commandActor } from './bootstrap/command-actor.js';
import {
  NOTIFICATIONS_USAGE,
  parseNotificationsCommand,
  type NotificationsCommand,
} from './bootstrap/notifications-command.js';
import { readSettings } from './bootstrap/read-settings.js';
import { OutputError, say } from './bootstrap/standard-output.js';
import { LACKS_MIGRATIONS, StartError } from './bootstrap/start-error.js';
import { withDatabase } from './bootstrap/with-database.js';
import type { IParkedNotification } from './interfaces/notification.js';
import type { Settings } from './services/config/settings.js';
import { isUndefinedTable } from './services/database/classify-failure.js';
import type { DatabaseService } from './services/database/database.service.js';
import { sqlStateOf } from './services/database/sql-state.js';
import { ServiceError } from './services/errors/service-error.js';
import { ParkedNotificationsService } from './services/notification/parked-notifications.service.js';
import { ChunksService } from './services/outcomes/chunks.service.js';
import { WakeUpService } from './services/wake-up/wake-up.service.js';

// `node dist/notifications.js list | announce | skip`: what to do with the notifications that the broker refuses.

process.exitCode = await main(process.argv.slice(2));

async function main(args: readonly string[]): Promise<number> {
  // What is for people is written here.
  Logger.overrideLogger(false);
  const command = parseNotificationsCommand(args);
  if (command === undefined) return fail(NOTIFICATIONS_USAGE, 2);
  try {
    if (command.name === 'help') await say(NOTIFICATIONS_USAGE.trimEnd());
    else {
      await withDatabase(readSettings(), (database, settings) => execute(command, settings, database), explain);
    }
    return 0;
  } catch (error) {
    if (error instanceof OutputError && error.readerGone) return 0;
    return fail(`${reasonOf(error)}\n`, 1);
  }
}

async function execute(
  command: Exclude<NotificationsCommand, { name: 'help' }>,
  settings: Settings,
  database: DatabaseService,
): Promise<void> {
  const parked = new ParkedNotificationsService(database);
  switch (command.name) {
    case 'list':
      return list(parked);
    case 'announce':
      await new ChunksService(settings, database, new WakeUpService(settings)).announceAgain(
        command.chunkId,
        commandActor(),
      );
      return explain(`Chunk ${command.chunkId} will be announced to every source by a running worker.`);
    case 'skip': {
      const { sources } = await parked.skip(command.chunkId, commandActor());
      return explain(`Not told of chunk ${command.chunkId}: ${sources.join(', ')}.`);
    }
    default:
      command satisfies never;
  }
}

async function list(parked: ParkedNotificationsService): Promise<void> {
  const { total, items } = await parked.list();
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
