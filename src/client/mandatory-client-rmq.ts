import type { Writable } from 'node:stream';
import { ClientRMQ, type ReadPacket, type WritePacket } from '@nestjs/microservices';
import type { AmqpConnectionManager, ChannelWrapper } from 'amqp-connection-manager';
import type { ConfirmChannel, Message } from 'amqplib';
import { Subject } from 'rxjs';

type SendOptions = Parameters<ChannelWrapper['sendToQueue']>[2] & {
  /** The `data` of the packet, as JSON. */
  written?: string;
};

/**
 * Nest's client, with three additions: it reports which messages the broker could not put into any queue, it recovers
 * from a channel that the broker closed, and it takes data that is written as JSON already (the option `written`).
 * Messages must be sent with `mandatory` and their own `messageId`.
 */
export class MandatoryClientRmq extends ClientRMQ {
  /** The `messageId` of each returned message. RabbitMQ returns a message before it confirms it. */
  readonly returned$ = new Subject<string>();
  /** What is held back to be written together. `more`: whether more was sent since. */
  private held: { more: boolean } | undefined;

  /**
   * If a channel is lost while it is opened, the next connection opens it again. Without a listener the error would end
   * the process.
   */
  override createChannel(): Promise<void> {
    const opened = super.createChannel();
    const channel = this.channel as ChannelWrapper;
    channel.on('error', (error: Error) => this.logger.error(`The channel was not opened: ${error.message}`));
    const send = channel.sendToQueue.bind(channel);
    channel.sendToQueue = (queue, packet: Buffer, options?: SendOptions, done?) =>
      send(queue, options?.written === undefined ? packet : withData(packet, options.written), options, done);
    return opened;
  }

  override async setupChannel(channel: ConfirmChannel, resolve: () => void): Promise<void> {
    channel.on('return', ({ properties }: Message) => this.returned$.next(String(properties.messageId)));
    // The connection manager opens a channel only with a new connection. Without one, every later call would time out.
    channel.on('error', (error: Error) => {
      this.logger.error(`The broker closed the channel: ${error.message}`);
      this.unwrap<AmqpConnectionManager>().reconnect();
    });
    await super.setupChannel(channel, resolve);
  }

  protected override publish(message: ReadPacket, callback: (packet: WritePacket) => void): () => void {
    this.writeTogether();
    return super.publish(message, callback);
  }

  protected override dispatchEvent(packet: ReadPacket): Promise<unknown> {
    this.writeTogether();
    return super.dispatchEvent(packet);
  }

  /**
   * Sends everything that is sent in this turn of the event loop in one write. By itself the library makes one write
   * for each message: a system call here, another for the broker, and a wake-up in between.
   */
  private writeTogether(): void {
    const { connection } = this.unwrap<AmqpConnectionManager>();
    const stream = (connection?.connection as unknown as { stream?: Writable } | undefined)?.stream;
    if (stream === undefined) return;
    if (this.held !== undefined) {
      this.held.more = true;
      return;
    }
    const held = (this.held = { more: false });
    const release = (): void => {
      stream.uncork();
      if (!held.more) return void (this.held = undefined);
      // Data that was sent in the turn that ends now is written after this, so it is held until the end of the next
      // turn.
      held.more = false;
      stream.cork();
      setImmediate(release);
    };
    stream.cork();
    // The library writes in its own immediate, which may come after the first of these.
    setImmediate(() => setImmediate(release));
  }
}

/** @param packet a JSON object without `data` */
const withData = (packet: Buffer, data: string): Buffer =>
  Buffer.from(`${packet.toString('utf8', 0, packet.length - 1)},"data":${data}}`);
