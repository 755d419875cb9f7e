import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:net';

/** Below the ports that Linux, macOS and Windows give to outgoing connections, of which the tests open thousands. */
const LOWEST = 20_000;
const BEYOND = 32_000;

/**
 * Each worker process of vitest has a part of the ports for itself, and gives none twice before it has given all of them.
 * With one common range, two workers were now and then given the same port, since a server listens only some time after
 * it was given its port. Processes that are no worker of vitest (the set-up, the chaos run) share the first part.
 */
const PARTS = 60;
const PART_SIZE = (BEYOND - LOWEST) / PARTS;
const PART_BEGIN = LOWEST + (Number(process.env.VITEST_POOL_ID ?? 0) % PARTS) * PART_SIZE;

let next = randomInt(PART_SIZE);

/** A TCP port of 127.0.0.1 on which nothing listens. Prefer port 0 where the listener can be asked for its address. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = PART_BEGIN + next;
    next = (next + 1) % PART_SIZE;
    if (await isFree(port)) return port;
  }
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer().listen(port, '127.0.0.1');
  try {
    await once(server, 'listening');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EADDRINUSE') return false;
    throw error;
  }
  const closed = once(server, 'close');
  server.close();
  await closed;
  return true;
}
