export type NotificationsCommand = { name: 'list' } | { name: 'notify' | 'skip'; chunkId: string };

export const NOTIFICATIONS_USAGE = `Usage: npm run --silent notifications -- <command>
  list              the parked notifications: chunk, source, how often refused, since when, why
  notify <chunk>    sends the notifications of a chunk again, to each of its sources; a running worker does it in its next round
  skip <chunk>      deletes the parked notifications of a chunk: its sources are never notified of it
<chunk> is the number of the chunk; list shows it.
`;

/** Undefined: the command line asks for something that does not exist. */
export function parseNotificationsCommand([name = '', chunkId, ...others]: readonly string[]):
  NotificationsCommand | undefined {
  if (others.length > 0) return undefined;
  if (name === 'list' && chunkId === undefined) return { name };
  if ((name === 'notify' || name === 'skip') && /^\d{1,18}$/.test(chunkId ?? '')) return { name, chunkId: chunkId! };
  return undefined;
}
