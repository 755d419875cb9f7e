import { startPlayedServer, type Answer, type PlayedRequest, type PlayedServer } from './http-server.js';

export interface PlayedMessage {
  orderId: string;
  status: string;
  chargeId?: string;
  reason?: string;
}

/** Plays the gateway of the shop. It refuses the first request for each message, to show that messages are sent again. */
export class PlayedGateway {
  private readonly accepted = new Map<string, PlayedMessage>();
  private readonly refused = new Set<string>();
  private server: PlayedServer | undefined;

  private constructor(private readonly onMessage: (message: PlayedMessage) => void) {}

  static async start(onMessage: (message: PlayedMessage) => void = () => undefined): Promise<PlayedGateway> {
    const gateway = new PlayedGateway(onMessage);
    gateway.server = await startPlayedServer((request) => gateway.answer(request));
    return gateway;
  }

  get url(): string {
    return this.server!.url;
  }

  /** What the shop was told of an order. */
  messagesOf(orderId: string): PlayedMessage[] {
    return [...this.accepted.values()].filter((message) => message.orderId === orderId);
  }

  async close(): Promise<void> {
    await this.server?.close();
  }

  private answer({ key, body }: PlayedRequest): Answer {
    if (!this.refused.has(key)) {
      this.refused.add(key);
      return { status: 503, body: {} };
    }
    if (!this.accepted.has(key)) {
      this.accepted.set(key, body as PlayedMessage);
      this.onMessage(body as PlayedMessage);
    }
    return { status: 202, body: {} };
  }
}
