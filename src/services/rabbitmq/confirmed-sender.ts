import type { ChannelModel, ConfirmChannel, Options } from 'amqplib';

const CONFIRM_TIMEOUT_MS = 15_000;

/** A property of the message is one that AMQP cannot carry. Nothing was sent, and the channel is as good as before. */
export class UnencodableMessageError extends Error {
  constructor(cause: Error) {
    super(`The message cannot be written: ${cause.message}`, { cause });
    this.name = 'UnencodableMessageError';
  }
}

/**
 * Sends messages into one queue and tells of each when the broker has it for good: confirmed, and not returned because there
 * is no such queue. After a failure nobody knows what else of it arrived; close it and open another one.
 */
export class ConfirmedSender {
  /** Ends what waits for a confirm, with an error or without. */
  private readonly waiting = new Set<(error: Error | null) => void>();

  private constructor(
    private readonly channel: ConfirmChannel,
    private readonly queue: string,
    private readonly timeoutMs: number,
  ) {
    channel.on('error', (error) => this.failAll(error));
    channel.on('close', () => this.failAll(new Error('the channel was closed')));
    // It comes before the confirm. Which message it was does not matter: all of them go to this queue.
    channel.on('return', () => this.failAll(new Error(`there is no queue '${queue}'`)));
  }

  static async open(model: ChannelModel, queue: string, timeoutMs = CONFIRM_TIMEOUT_MS): Promise<ConfirmedSender> {
    return new ConfirmedSender(await model.createConfirmChannel(), queue, timeoutMs);
  }

  /**
   * @throws UnencodableMessageError
   * @throws any other error when it is not certain that the message is in the queue; it may be there nevertheless.
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

  /** On a connection that is gone there is nothing left to close. */
  async close(): Promise<void> {
    await this.channel.close().catch(() => undefined);
  }

  private failAll(error: Error): void {
    for (const settle of [...this.waiting]) settle(error);
  }
}

/** What the library has thrown instead of sending: of the channel where that is closed, else from encoding. */
export function notSent(error: unknown): Error {
  const ofChannel = error instanceof Error && error.name === 'IllegalOperationError';
  return ofChannel ? error : new UnencodableMessageError(error as Error);
}
