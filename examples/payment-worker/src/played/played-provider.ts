import { randomUUID } from 'node:crypto';
import { EventEmitter, once } from 'node:events';
import { startPlayedServer, type Answer, type PlayedRequest, type PlayedServer } from './http-server.js';

/**
 * What the provider does with one request: charges and answers; charges and never answers; answers 503, before or after it has charged;
 * declines.
 */
export type Behaviour = 'charge' | 'charge-silently' | 'unavailable' | 'charge-unavailable' | 'decline';

export interface PlayedProviderOptions {
  /** @param request 1 for the first request of this order */
  behaviour: (orderId: string, request: number) => Behaviour;
  /** False: it forgets the keys, as no real provider may. A test shows that this would be noticed. Default true. */
  recognisesKeys?: boolean;
}

/** Plays a payment provider with a REST interface, and keeps what it has charged. */
export class PlayedProvider {
  private readonly requests = new Map<string, number>();
  private readonly charges: { key: string; orderId: string; chargeId: string }[] = [];
  private readonly events = new EventEmitter();
  private server: PlayedServer | undefined;

  private constructor(private readonly options: PlayedProviderOptions) {}

  static async start(options: PlayedProviderOptions): Promise<PlayedProvider> {
    const provider = new PlayedProvider(options);
    provider.server = await startPlayedServer((request) => provider.answer(request));
    return provider;
  }

  get url(): string {
    return this.server!.url;
  }

  /** How often the money of an order was taken. */
  chargesOf(orderId: string): number {
    return this.charges.filter((charge) => charge.orderId === orderId).length;
  }

  requestsOf(orderId: string): number {
    return this.requests.get(orderId) ?? 0;
  }

  /** Resolves at the next request of an order. */
  async requested(orderId: string): Promise<void> {
    await once(this.events, orderId);
  }

  async close(): Promise<void> {
    await this.server?.close();
  }

  private answer({ key, body }: PlayedRequest): Answer {
    const { orderId } = body as { orderId: string };
    const request = this.requestsOf(orderId) + 1;
    this.requests.set(orderId, request);
    const behaviour = this.options.behaviour(orderId, request);
    const answer = this.act(behaviour, key, orderId);
    this.events.emit(orderId);
    return answer;
  }

  private act(behaviour: Behaviour, key: string, orderId: string): Answer {
    switch (behaviour) {
      case 'charge':
        return { status: 200, body: { chargeId: this.charge(key, orderId) } };
      case 'charge-silently':
        this.charge(key, orderId);
        return undefined;
      case 'charge-unavailable':
        this.charge(key, orderId);
        return { status: 503, body: {} };
      case 'unavailable':
        return { status: 503, body: {} };
      case 'decline':
        return { status: 402, body: { reason: 'no funds' } };
      default:
        return behaviour satisfies never;
    }
  }

  private charge(key: string, orderId: string): string {
    const known = this.options.recognisesKeys === false ? undefined : this.charges.find((charge) => charge.key === key);
    if (known !== undefined) return known.chargeId;
    const chargeId = randomUUID();
    this.charges.push({ key, orderId, chargeId });
    return chargeId;
  }
}
