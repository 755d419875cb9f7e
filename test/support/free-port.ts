import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type Server } from 'node:net';

/** Below the ports that Linux, macOS and Windows give to outgoing connections, of which the tests open thousands. */
const LOWEST = 20_000;
const BEYOND = 32_000;
const PARTS = 60;
const PART_SIZE = (BEYOND - LOWEST) / PARTS;

/**
 * Each process has a part of the ports for itself, and gives none twice before it has given all of them. With one common
 * range, two processes were now and then given the same port, since a server listens only some time after it was given
 * its port. A process holds its part by listening on the first port of it, so the part is free again when the process ends.
 */
let part: Promise<{ first: number; next: number }> | undefined;

/** A TCP port of 127.0.0.1 on which nothing listens. Prefer port 0 where the listener can be asked for its address. */
export async function freePort(): Promise<number> {
  const mine = await (part ??= takePart());
  for (;;) {
    const port = mine.first + mine.next;
    // The first port is the one that holds the part.
    mine.next = (mine.next % (PART_SIZE - 1)) + 1;
    const server = await listen(port);
    if (server === undefined) continue;
    const closed = once(server, 'close');
    server.close();
    await closed;
    return port;
  }
}

async function takePart(): Promise<{ first: number; next: number }> {
  const begin = randomInt(PARTS);
  for (let tried = 0; tried < PARTS; tried += 1) {
    const first = LOWEST + ((begin + tried) % PARTS) * PART_SIZE;
    const holder = await listen(first);
    if (holder === undefined) continue;
    holder.unref();
    return { first, next: 1 + randomInt(PART_SIZE - 1) };
  }
  throw new Error(`Other processes hold all ports from ${LOWEST} to ${BEYOND - 1} on 127.0.0.1`);
}

/** Undefined: somebody listens there already. */
async function listen(port: number): Promise<Server | undefined> {
  const server = createServer().listen(port, '127.0.0.1');
  try {
    await once(server, 'listening');
    return server;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EADDRINUSE') return undefined;
    throw error;
  }
}
