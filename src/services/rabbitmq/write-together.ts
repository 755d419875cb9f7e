import type { Writable } from 'node:stream';
import type { ChannelModel } from 'amqplib';

/**
 * Combines the writes of the library in one turn of the event loop. The library makes one write for each message, which
 * costs a system call here, another at the broker, and a wake-up.
 */
export function writeTogether({ connection }: Pick<ChannelModel, 'connection'>): void {
  const { stream } = connection as unknown as { stream: Writable };
  const write = stream.write.bind(stream) as (...args: unknown[]) => boolean;
  stream.write = (...args: unknown[]) => {
    if (stream.writableCorked === 0) {
      stream.cork();
      process.nextTick(() => stream.uncork());
    }
    return write(...args);
  };
}
