import { refuseArguments, unknownCommand, UsageError } from './run-command.js';

export type NotificationsCommand = { name: 'list' } | { name: 'notify' | 'skip'; chunkId: string };

export const NOTIFICATIONS_USAGE = `Usage: npm run --silent notifications -- <command>
  list              the parked notifications: chunk, source, how often refused, since when, why
  notify <chunk>    sends the notifications of a chunk again, to each of its sources; a running worker does it in its next round
  skip <chunk>      deletes the parked notifications of a chunk: its sources are never notified of it
<chunk> is the number of the chunk; list shows it.
`;

/** @throws UsageError */
export function parseNotificationsCommand([name, ...others]: readonly string[]): NotificationsCommand {
  switch (name) {
    case 'list':
      refuseArguments(name, others);
      return { name };
    case 'notify':
    case 'skip': {
      const [chunkId = '', ...more] = others;
      refuseArguments(name, more);
      if (!/^\d{1,18}$/.test(chunkId)) throw new UsageError(`${name} takes the number of a chunk, not '${chunkId}'`);
      return { name, chunkId };
    }
    default:
      return unknownCommand(name);
  }
}
