import { ClientRMQ } from '@nestjs/microservices';
import type { AmqpConnectionManager } from 'amqp-connection-manager';
import type { ConfirmChannel, Message } from 'amqplib';
import { Subject } from 'rxjs';

/**
 * Nest's client, which also tells which messages the broker could not put into any queue, and which gets over a channel
 * that the broker closed. Messages must be sent with `mandatory` and a `messageId` of their own.
 */
export class MandatoryClientRmq extends ClientRMQ {
  /** The `messageId` of each message that came back. RabbitMQ returns a message before it confirms it. */
  readonly returned$ = new Subject<string>();

  override async setupChannel(channel: ConfirmChannel, resolve: () => void): Promise<void> {
    channel.on('return', ({ properties }: Message) => this.returned$.next(String(properties.messageId)));
    // The connection manager opens a channel only with a new connection: without one, every later call would time out.
    channel.on('error', (error: Error) => {
      this.logger.error(`The broker closed the channel: ${error.message}`);
      this.unwrap<AmqpConnectionManager>().reconnect();
    });
    await super.setupChannel(channel, resolve);
  }
}
