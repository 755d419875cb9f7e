import type { Writable } from 'node:stream';
import { ClientRMQ, type ReadPacket, type WritePacket } from '@nestjs/microservices';
import type { AmqpConnectionManager, ChannelWrapper } from 'amqp-connection-manager';
import type { ConfirmChannel, Message } from 'amqplib';
import { Subject } from 'rxjs';

/**
 * Nest's client, which also tells which messages the broker could not put into any queue, and which gets over a channel
 * that the broker closed. Messages must be sent with `mandatory` and a `messageId` of their own.
 */
export class MandatoryClientRmq extends ClientRMQ {
  /** The `messageId` of each message that came back. RabbitMQ returns a message before it confirms it. */
  readonly returned$ = new Subject<string>();
  /** What is held back to be written together, and whether more was sent since. */
  private held: { more: boolean } | undefined;

  /** A channel that is lost while it is opened comes with the next connection; without a listener it would end the process. */
  override createChannel(): Promise<void> {
    const opened = super.createChannel();
    const channel = this.channel as ChannelWrapper | null;
    channel?.on('error', (error: Error) => this.logger.error(`The channel was not opened: ${error.message}`));
    return opened;
  }

  override async setupChannel(channel: ConfirmChannel, resolve: () => void): Promise<void> {
    channel.on('return', ({ properties }: Message) => this.returned$.next(String(properties.messageId)));
    // The connection manager opens a channel only with a new connection: without one, every later call would time out.
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
   * Lets all that is sent in this turn of the event loop go out in one write. By itself the library makes a write of each message: a
   * system call here, another for the broker that reads it, and a wake-up between.
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
      // What was sent in the turn that ends now is written after this, so it is held until the end of the next.
      held.more = false;
      stream.cork();
      setImmediate(release);
    };
    stream.cork();
    // The library writes in an immediate of its own, which may come after the first of these.
    setImmediate(() => setImmediate(release));
  }
}
