import {
  NOTIFICATIONS_USAGE,
  parseNotificationsCommand,
  type NotificationsCommand,
} from './bootstrap/notifications-command.js';
import { onOneConnection } from './bootstrap/on-one-connection.js';
import type { PageOptions } from './bootstrap/page-options.js';
import { readSettings } from './bootstrap/read-settings.js';
import { requestsOn } from './bootstrap/requests-on.js';
import { commandActor, explain, runCommand, say } from './bootstrap/run-command.js';
import type { IParkedNotification } from './interfaces/notification.js';
import type { Settings } from './services/config/settings.js';
import type { RequestConnections } from './services/database/request-connections.js';
import { notifyAgain } from './services/notification/notify-again.js';
import { listParked, skipParked } from './services/notification/parked-notifications.js';

// `node dist/notifications.js list | notify | skip` handles the notifications that the broker refuses.

await runCommand(NOTIFICATIONS_USAGE, async (args) => {
  const command = parseNotificationsCommand(args);
  await onOneConnection(readSettings(), (client, settings) => execute(command, settings, requestsOn(client, settings)));
});

async function execute(command: NotificationsCommand, settings: Settings, requests: RequestConnections): Promise<void> {
  switch (command.name) {
    case 'list':
      return list(requests, command.page);
    case 'notify':
      await notifyAgain(requests, settings, command.chunkId, commandActor());
      return explain(`A worker will send the notifications of chunk ${command.chunkId} again, to every source.`);
    case 'skip': {
      const { sources } = await skipParked(requests, command.chunkId, commandActor());
      return explain(`These sources will not be notified of chunk ${command.chunkId}: ${sources.join(', ')}.`);
    }
    default:
      command satisfies never;
  }
}

async function list(requests: RequestConnections, page: PageOptions): Promise<void> {
  const { items, nextCursor } = await listParked(requests, page);
  for (const item of items) await say(line(item));
  const more = nextCursor === undefined ? '' : `; there may be more: --cursor ${nextCursor}`;
  explain(`${items.length} listed${more}`);
}

function line({ chunkId, source, failures, parkedAt, reason }: IParkedNotification): string {
  return `${chunkId} ${source} ${failures} ${parkedAt} ${JSON.stringify(reason)}`;
}
