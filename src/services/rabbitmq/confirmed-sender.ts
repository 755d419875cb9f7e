import type { ChannelModel, ConfirmChannel, Options } from 'amqplib';
import { withTimeout } from '../observability/with-timeout.js';

const CONFIRM_TIMEOUT_MS = 15_000;

/** AMQP cannot carry a property of the message. Nothing was sent, and the channel can still be used. */
export class UnencodableMessageError extends Error {
  constructor(cause: Error) {
    super(`The message cannot be encoded: ${cause.message}`, { cause });
    this.name = 'UnencodableMessageError';
  }
}

/**
 * Sends messages into one queue and reports for each when the broker has stored it: confirmed, and not returned because
 * there is no such queue. After a failure it is unknown which other messages arrived: close it and open another one.
 */
export class ConfirmedSender {
  /** Why a message of the channel is not in the queue. */
  private failure: Error | undefined;

  private constructor(
    private readonly channel: ConfirmChannel,
    private readonly queue: string,
  ) {
    // After this error, and after a return, the library ends every wait for a confirm.
    channel.on('error', (error: Error) => (this.failure = error));
    // A return comes before the confirm. All messages go to the same queue, so any return is the failure.
    channel.on('return', () => (this.failure = new Error(`there is no queue '${queue}'`)));
  }

  static async open(model: ChannelModel, queue: string): Promise<ConfirmedSender> {
    return new ConfirmedSender(await model.createConfirmChannel(), queue);
  }

  /**
   * @throws UnencodableMessageError
   * @throws any other error when it is not certain that the message is in the queue; it may be there nevertheless
   */
  send(content: Buffer, options: Options.Publish): Promise<void> {
    const sent = new Promise<void>((resolve, reject) => {
      const settle = (error: unknown): void => {
        const failure = this.failure ?? error;
        if (failure instanceof Error) reject(failure);
        else resolve();
      };
      try {
        this.channel.publish('', this.queue, content, { ...options, persistent: true, mandatory: true }, settle);
      } catch (error) {
        reject(notSent(error));
      }
    });
    return withTimeout(sent, CONFIRM_TIMEOUT_MS);
  }

  /** If the connection has gone, there is nothing left to close. */
  async close(): Promise<void> {
    await this.channel.close().catch(() => undefined);
  }
}

/** What the library threw instead of sending: an error of the closed channel, or else an error of encoding. */
export function notSent(error: unknown): Error {
  const ofChannel = error instanceof Error && error.name === 'IllegalOperationError';
  return ofChannel ? error : new UnencodableMessageError(error as Error);
}
