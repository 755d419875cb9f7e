import type { Writable } from 'node:stream';
import type { Channel } from 'amqplib';

/** What is held back to be written together, and whether more was sent since. */
const held = new WeakMap<Writable, { more: boolean }>();

/**
 * Lets all that is sent over the channel's connection in this turn of the event loop go out in one write. By itself the library makes a
 * write of each message: a system call for us, another for the broker that reads it, and a wake-up between.
 */
export function writeTogether({ connection }: Pick<Channel, 'connection'>): void {
  const { stream } = connection as unknown as { stream: Writable };
  const holding = held.get(stream);
  if (holding !== undefined) {
    holding.more = true;
    return;
  }
  const state = { more: false };
  const release = (): void => {
    stream.uncork();
    if (!state.more) return void held.delete(stream);
    // What was sent in the turn that ends now is written after this, so it is held until the end of the next.
    state.more = false;
    stream.cork();
    setImmediate(release);
  };
  held.set(stream, state);
  stream.cork();
  // The library writes in an immediate of its own, which may come after the first of these.
  setImmediate(() => setImmediate(release));
}
