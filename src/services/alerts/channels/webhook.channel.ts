import type { AlertChannel, AlertMessage } from '../alert-message.js';
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
        throw new Error(`no answer: ${reasonOf(error)}`, { cause: error });
      },
    );
    const answer = await response.text();
    if (!response.ok) throw new Error(`status ${response.status}: ${answer.slice(0, SHOWN_ANSWER)}`);
  }

  close(): void {
    // The connections belong to the process.
  }
}

/** `fetch` says only that it failed. The cause says why. */
function reasonOf(error: unknown): string {
  const { message, cause } = error as Error;
  if (!(cause instanceof Error)) return message;
  return cause.message || ('code' in cause ? String(cause.code) : message);
}
