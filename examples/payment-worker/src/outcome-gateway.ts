import type { Outcome } from './outcome.js';

/** One message to the shop. */
export type OutcomeMessage = Outcome & { key: string; orderId: string };

const TIMEOUT_MS = 2000;

/** Sends messages to the shop over HTTP. */
export class OutcomeGateway {
  constructor(private readonly url: string) {}

  /** @throws when the gateway did not accept it; send it again with the same key */
  async send({ key, ...body }: OutcomeMessage, signal: AbortSignal): Promise<void> {
    const response = await fetch(new URL('/messages', this.url), {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'idempotency-key': key },
      body: JSON.stringify(body),
      signal: AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)]),
    });
    await response.body?.cancel();
    if (!response.ok) throw new Error(`The gateway answered with ${response.status}`);
  }
}
