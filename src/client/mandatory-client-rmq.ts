import type { Writable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { ClientRMQ } from '@nestjs/microservices';
import type { AmqpConnectionManager, ChannelWrapper } from 'amqp-connection-manager';
import type { ConfirmChannel, Message } from 'amqplib';
import { Subject } from 'rxjs';

/** A broker that answers closes a channel within some milliseconds. */
const CLOSES_WITHIN_MS = 1000;

type SendOptions = Parameters<ChannelWrapper['sendToQueue']>[2] & {
  /** The `data` of the packet, as JSON. */
  written?: string;
};

/**
 * Nest's client, with four additions. It reports which messages the broker could not put into any queue. It recovers
 * from a channel that the broker closed. It takes data that is already JSON (the option `written`). It ends its connection
 * although its channel cannot be closed. Messages must be
 * sent with `mandatory` and their own `messageId`.
 */
export class MandatoryClientRmq extends ClientRMQ {
  /** The `messageId` of each returned message. RabbitMQ returns a message before it confirms it. */
  readonly returned$ = new Subject<string>();

  /** The next connection opens a lost channel again. Without a listener the error would end the process. */
  override createChannel(): Promise<void> {
    const opened = super.createChannel();
    const channel = this.channel as ChannelWrapper;
    channel.on('error', (error: Error) => this.logger.error(`The channel was not opened: ${error.message}`));
    const send = channel.sendToQueue.bind(channel);
    channel.sendToQueue = (queue, packet: Buffer, options?: SendOptions, done?) =>
      send(queue, options?.written === undefined ? packet : withData(packet, options.written), options, done);
    return opened;
  }

  /**
   * Closes the connection itself first, which also ends its attempts to connect again. Nest's client would leave it open if
   * its channel cannot be closed, and would wait for ever if it is lost while the channel is being closed.
   */
  override async close(): Promise<void> {
    const manager = this.client as AmqpConnectionManager | null;
    const stream = manager?.connection === undefined ? undefined : streamOf(manager.connection);
    try {
      if (manager !== null) await inTime(manager.close());
    } finally {
      stream?.destroy();
    }
    await super.close();
  }

  override async setupChannel(channel: ConfirmChannel, resolve: () => void): Promise<void> {
    writeTogether(channel);
    channel.on('return', ({ properties }: Message) => this.returned$.next(String(properties.messageId)));
    // The connection manager opens a channel only with a new connection. Without one, every later call would time out.
    channel.on('error', (error: Error) => {
      this.logger.error(`The broker closed the channel: ${error.message}`);
      this.unwrap<AmqpConnectionManager>().reconnect();
    });
    await super.setupChannel(channel, resolve);
  }
}

/**
 * Combines the writes of the library in one turn of the event loop. The library makes one write for each message, which
 * costs a system call here, another at the broker, and a wake-up.
 */
function writeTogether({ connection }: Pick<ConfirmChannel, 'connection'>): void {
  const stream = streamOf({ connection });
  const write = stream.write.bind(stream) as (...args: unknown[]) => boolean;
  stream.write = (...args: unknown[]) => {
    if (stream.writableCorked === 0) {
      stream.cork();
      process.nextTick(() => stream.uncork());
    }
    return write(...args);
  };
}

const streamOf = ({ connection }: { connection: unknown }): Writable => (connection as { stream: Writable }).stream;

/** Rejects as `work` does, and gives up waiting for it after a while. */
async function inTime(work: Promise<unknown>): Promise<void> {
  const waited = new AbortController();
  const { signal } = waited;
  try {
    await Promise.race([work, delay(CLOSES_WITHIN_MS, undefined, { signal })]);
  } finally {
    waited.abort();
  }
}

/** @param packet a JSON object without `data` */
const withData = (packet: Buffer, data: string): Buffer =>
  Buffer.from(`${packet.toString('utf8', 0, packet.length - 1)},"data":${data}}`);
