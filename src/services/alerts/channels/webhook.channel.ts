import type { AlertChannel, AlertMessage } from '../alert-message.js';
import { fetchFailure } from './fetch-failure.js';
import { signBody, SIGNATURE_HEADER } from './webhook-signature.js';

const SHOWN_ANSWER = 200;

/** Posts JSON to a program of the operator, signed with the secret that both know. */
export class WebhookChannel implements AlertChannel {
  readonly name = 'webhook';

  constructor(private readonly options: { url: string; secret: string }) {}

  get place(): string {
    return new URL(this.options.url).host;
  }

  async send(message: AlertMessage, signal: AbortSignal): Promise<void> {
    const { url, secret } = this.options;
    const body = JSON.stringify(message);
    const headers = {
      'content-type': 'application/json',
      'user-agent': 'batch-service',
      'x-batch-delivery': message.id,
      [SIGNATURE_HEADER]: signBody(body, secret, new Date()),
    };
    // What was signed for one place is not sent on to another.
    const response = await fetch(url, { method: 'POST', body, headers, signal, redirect: 'error' }).catch(
      (error: unknown) => {
        throw fetchFailure(error);
      },
    );
    const answer = await response.text();
    if (!response.ok) throw new Error(`status ${response.status}: ${answer.slice(0, SHOWN_ANSWER)}`);
  }

  close(): void {
    // The connections belong to the process.
  }
}
