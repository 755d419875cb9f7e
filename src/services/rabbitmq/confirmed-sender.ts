import type { ChannelModel, ConfirmChannel, Options } from 'amqplib';

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
  /** Each ends one wait for a confirm, with or without an error. */
  private readonly waiting = new Set<(error: Error | null) => void>();

  private constructor(
    private readonly channel: ConfirmChannel,
    private readonly queue: string,
    private readonly timeoutMs: number,
  ) {
    channel.on('error', (error) => this.failAll(error));
    channel.on('close', () => this.failAll(new Error('the channel was closed')));
    // It comes before the confirm. All messages go to the same queue, so it does not matter which one was returned.
    channel.on('return', () => this.failAll(new Error(`there is no queue '${queue}'`)));
  }

  static async open(model: ChannelModel, queue: string, timeoutMs = CONFIRM_TIMEOUT_MS): Promise<ConfirmedSender> {
    return new ConfirmedSender(await model.createConfirmChannel(), queue, timeoutMs);
  }

  /**
   * @throws UnencodableMessageError
   * @throws any other error when it is not certain that the message is in the queue; it may be there nevertheless
   */
  send(content: Buffer, options: Options.Publish): Promise<void> {
    return new Promise((resolve, reject) => {
      const settle = (error: Error | null): void => {
        clearTimeout(timer);
        this.waiting.delete(settle);
        if (error === null) resolve();
        else reject(error);
      };
      const timer = setTimeout(() => settle(new Error(`no confirm within ${this.timeoutMs} ms`)), this.timeoutMs);
      this.waiting.add(settle);
      try {
        this.channel.publish('', this.queue, content, { ...options, persistent: true, mandatory: true }, settle);
      } catch (error) {
        settle(notSent(error));
      }
    });
  }

  /** If the connection has gone, there is nothing left to close. */
  async close(): Promise<void> {
    await this.channel.close().catch(() => undefined);
  }

  private failAll(error: Error): void {
    for (const settle of [...this.waiting]) settle(error);
  }
}

/** What the library threw instead of sending: an error of the closed channel, or else an error of encoding. */
export function notSent(error: unknown): Error {
  const ofChannel = error instanceof Error && error.name === 'IllegalOperationError';
  return ofChannel ? error : new UnencodableMessageError(error as Error);
}
