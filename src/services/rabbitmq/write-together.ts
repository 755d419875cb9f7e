import type { Writable } from 'node:stream';
import type { ChannelModel } from 'amqplib';

/**
 * Sends what the library writes at once in one write. By itself it makes one write for each message: a system call for
 * the service, another for the broker, and a wake-up in between.
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
