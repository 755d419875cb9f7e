import type { Writable } from 'node:stream';
import type { Channel } from 'amqplib';

/** Connections whose output is held back to be written together. `more`: whether more was sent since. */
const held = new WeakMap<Writable, { more: boolean }>();

/**
 * Sends everything that is sent over the channel's connection in this turn of the event loop in one write. By itself
 * the library makes one write for each message: a system call for the service, another for the broker, and a wake-up in
 * between.
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
    // Data that was sent in the turn that ends now is written after this, so it is held until the end of the next turn.
    state.more = false;
    stream.cork();
    setImmediate(release);
  };
  held.set(stream, state);
  stream.cork();
  // The library writes in its own immediate, which may come after the first of these.
  setImmediate(() => setImmediate(release));
}
