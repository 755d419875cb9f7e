import type { Server, Socket } from 'node:net';

export interface ConnectionLimits {
  total: number;
  /** Infinity if a proxy is in front, because all its callers have its address. */
  perAddress: number;
}

/**
 * Limits how many connections a server keeps, in total and from one address, so that a single caller cannot take all
 * places. More connections are closed at once, before anything is read from them.
 */
export function limitConnections(
  server: Server,
  { total, perAddress }: ConnectionLimits,
  onRefused: (why: string) => void,
): void {
  const open = new Map<string, number>();
  server.maxConnections = total;
  server.on('drop', () => onRefused(`there are ${total}`));
  server.on('connection', (socket: Socket) => {
    // Undefined: the connection has gone already.
    const address = socket.remoteAddress ?? '';
    const count = open.get(address) ?? 0;
    if (count >= perAddress) {
      socket.destroy();
      return onRefused(`there are ${perAddress} from ${address}`);
    }
    open.set(address, count + 1);
    socket.once('close', () => {
      const left = (open.get(address) ?? 1) - 1;
      if (left === 0) open.delete(address);
      else open.set(address, left);
    });
  });
}
