export type NotificationsCommand = { name: 'help' } | { name: 'list' } | { name: 'announce' | 'skip'; chunkId: string };

export const NOTIFICATIONS_USAGE = `Usage: npm run --silent notifications -- <command>
  list              the parked notifications: chunk, source, how often refused, since when, why
  announce <chunk>  has a chunk announced again, to every source, by the next round of a running worker
  skip <chunk>      gives up what is parked of a chunk: its sources are not told of it
<chunk> is the number of the chunk; list tells it.
`;

/** Undefined: the command line asks for nothing that there is. */
export function parseNotificationsCommand([name = '', chunkId, ...others]: readonly string[]):
  NotificationsCommand | undefined {
  if (others.length > 0) return undefined;
  if (['help', '--help', '-h'].includes(name)) return { name: 'help' };
  if (name === 'list' && chunkId === undefined) return { name };
  if ((name === 'announce' || name === 'skip') && /^\d{1,18}$/.test(chunkId ?? '')) return { name, chunkId: chunkId! };
  return undefined;
}
