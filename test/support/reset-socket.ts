import type { Socket } from 'node:net';

/**
 * Resets a connection, as a network does that breaks. A connection that is just being ended is only dropped: Node 20 refuses to
 * reset it (EINVAL), keeps its handle, and the process then never exits, but waits for that handle with a full core.
 */
export function resetSocket(socket: Socket): void {
  if (socket.writableEnded) socket.destroy();
  else socket.resetAndDestroy();
}
