import { pageOf, type PageOptions } from './page-options.js';
import { readOptions, refuseArguments, unknownCommand, UsageError } from './run-command.js';

const MOST_ON_PAGE = 1000;

export type NotificationsCommand = { name: 'list'; page: PageOptions } | { name: 'notify' | 'skip'; chunkId: string };

export const NOTIFICATIONS_USAGE = `Usage: npm run --silent notifications -- <command>
  list [--limit <n>] [--cursor <c>]  the parked notifications: chunk, source, how often refused, since when, why
  notify <chunk>                     sends the notifications of a chunk again, to each of its sources; a running worker does it in its next round
  skip <chunk>                       deletes the parked notifications of a chunk: its sources are never notified of it
<chunk> is the number of the chunk; list shows it.
`;

/** @throws UsageError */
export function parseNotificationsCommand([name, ...others]: readonly string[]): NotificationsCommand {
  switch (name) {
    case 'list':
      return { name, page: readPage(name, others) };
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

function readPage(command: string, args: readonly string[]): PageOptions {
  const { positionals, values } = readOptions({
    args: [...args],
    allowPositionals: true,
    options: { limit: { type: 'string' }, cursor: { type: 'string' } },
  });
  refuseArguments(command, positionals);
  const page = pageOf(values);
  if (page.limit === undefined || (page.limit >= 1 && page.limit <= MOST_ON_PAGE)) return page;
  throw new UsageError(`--limit must be a whole number from 1 to ${MOST_ON_PAGE}, not '${page.limit}'`);
}
