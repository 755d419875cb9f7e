import { IncomingWebhook, IncomingWebhookHTTPError, IncomingWebhookRequestError } from '@slack/webhook';
import { headline, type AlertChannel, type AlertMessage } from '../alert-message.js';
import { fetchFailure } from './fetch-failure.js';

const TIMEOUT_MS = 10_000;
const SHOWN_ANSWER = 200;

/** Sends to an incoming webhook of Slack. */
export class SlackChannel implements AlertChannel {
  readonly name = 'slack';

  constructor(private readonly url: string) {}

  get place(): string {
    return new URL(this.url).host;
  }

  async send(message: AlertMessage, signal: AbortSignal): Promise<void> {
    const send: typeof fetch = (url, init) =>
      fetch(url, { ...init, signal: AbortSignal.any([signal, ...(init?.signal ? [init.signal] : [])]) });
    // Without its own retries: a message is tried again later, also by another process.
    const webhook = new IncomingWebhook(this.url, { timeout: TIMEOUT_MS, fetch: send });
    await webhook.send({ text: toMrkdwn(message) }).catch((error: unknown) => {
      if (error instanceof IncomingWebhookRequestError) throw fetchFailure(error.original);
      if (error instanceof IncomingWebhookHTTPError)
        throw new Error(`status ${error.statusCode}: ${error.body.slice(0, SHOWN_ANSWER)}`);
      throw error;
    });
  }

  close(): void {
    // It keeps no connection.
  }
}

function toMrkdwn(message: AlertMessage): string {
  return `*${escaped(headline(message))}*\n${escaped(message.text)}`;
}

/** In Slack's markup these characters begin links and mentions, such as `<!channel>`. */
const escaped = (text: string): string => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
