import { ClientProxyFactory, Transport, type ClientProxy } from '@nestjs/microservices';
import { lastValueFrom, timeout } from 'rxjs';
import type { IOperationsSettledMessage } from '../../interfaces/settled-event.js';
import { messageOf } from '../errors/message-of.js';
import type { Published, SettledPublisher } from './settled-publisher.js';

const ANSWER_TIMEOUT_MS = 15_000;

/**
 * Sends notifications directly to a NestJS TCP microservice, for local use without a broker. Each is sent as a request,
 * because an event would be lost with the connection. It counts as delivered when the consumer has answered. An
 * `@EventPattern` handler answers a request too. If a handler fails, it gets the message again.
 */
export class TcpPublisher implements SettledPublisher {
  private readonly client: ClientProxy;
  private stopped = false;

  constructor(
    private readonly url: string,
    private readonly answerTimeoutMs = ANSWER_TIMEOUT_MS,
  ) {
    const { hostname, port } = new URL(url);
    this.client = ClientProxyFactory.create({
      transport: Transport.TCP,
      options: { host: hostname.replace(/^\[|\]$/g, ''), port: Number(port) },
    });
  }

  /** Connects with the first message, because the consumer may start later. */
  start(): Promise<void> {
    this.stopped = false;
    return Promise.resolve();
  }

  /**
   * Sends one after the other, so that the consumer gets them in order. The consumer receives the notifications of
   * every source.
   */
  async publish(messages: readonly IOperationsSettledMessage[]): Promise<Published> {
    for (const message of messages) await this.send(message);
    return { unrouted: [], refused: [] };
  }

  async stop(): Promise<void> {
    this.stopped = true;
    await this.client.close();
  }

  private async send({ pattern, data }: IOperationsSettledMessage): Promise<void> {
    if (this.stopped) throw new Error('notifications are stopped');
    try {
      await lastValueFrom(this.client.send(pattern, data).pipe(timeout(this.answerTimeoutMs)), {
        defaultValue: undefined,
      });
    } catch (error) {
      throw new Error(`the consumer at ${this.url} did not accept a notification: ${describe(error)}`, {
        cause: error,
      });
    }
  }
}

/** When a handler fails, NestJS answers with an object or a text, not with an Error. */
function describe(error: unknown): string {
  if (error instanceof Error) return messageOf(error);
  return typeof error === 'string' ? error : JSON.stringify(error);
}
