import type { Writable } from 'node:stream';
import type { Channel } from 'amqplib';

/**
 * Lets all that is sent over the channel's connection in this turn of the event loop go out in one write. By itself the library makes a
 * write of each message: a system call for us, another for the broker that reads it, and a wake-up between.
 */
export function writeTogether({ connection }: Pick<Channel, 'connection'>): void {
  const { stream } = connection as unknown as { stream: Writable };
  if (stream.writableCorked > 0) return;
  stream.cork();
  // The library writes in an immediate of its own, which may come after the first of these.
  setImmediate(() => setImmediate(() => stream.uncork()));
}
