import { setTimeout as sleep } from 'node:timers/promises';
import { hideSecrets } from '../hide-secrets.js';
import { AccessTokens } from '../http/access-tokens.js';
import { postHttp, type HttpAnswer } from '../http/http-call.js';
import { readJson } from '../http/token-answer.js';
import { PartError } from '../part-error.js';
import { withinTime } from '../time-limit.js';
import { fetchGatewayToken } from './client-credentials.js';
import type { GatewaySettings } from './gateway-settings.js';
import { MessageGateway, type GatewayAnswer, type GatewayMessage } from './message-gateway.js';
import { nextAttemptMs } from './next-attempt.js';

/** Of one attempt. */
const ATTEMPT_TIMEOUT_MS = 10_000;
const SHOWN_ANSWER = 200;
const GATEWAY = { name: 'The gateway', variable: 'GATEWAY_URL', unavailable: 'GATEWAY_UNAVAILABLE' } as const;

/**
 * Posts messages as JSON, with a bearer token. It tries again, with the same Idempotency-Key, when the gateway is busy (429), fails (5xx)
 * or does not answer. It leaves it to the gateway to accept a message of one key once only.
 */
export class HttpMessageGateway extends MessageGateway {
  private readonly tokens: AccessTokens;

  constructor(private readonly settings: GatewaySettings) {
    super();
    this.tokens = new AccessTokens(() => fetchGatewayToken(settings));
  }

  async send(message: GatewayMessage, signal?: AbortSignal): Promise<GatewayAnswer> {
    const request = { url: this.addressOf(message), id: checkedId(message.id), body: JSON.stringify(message.body) };
    const { timeoutMs } = this.settings;
    let last: PartError | undefined;
    const limit = { what: `Message "${message.id}" to the gateway`, timeoutMs, caller: signal };
    return withinTime(limit, (within) => this.sendUntil(request, within, (failure) => (last = failure))).catch(
      (error: unknown) => {
        if (!(error instanceof PartError) || error.code !== 'TIMED_OUT' || last === undefined) throw error;
        throw new PartError('TIMED_OUT', `${error.message}; the last attempt: ${last.message}`, { cause: last });
      },
    );
  }

  private async sendUntil(
    request: { url: string; id: string; body: string },
    signal: AbortSignal,
    onFailure: (failure: PartError) => void,
  ): Promise<GatewayAnswer> {
    const { attempts, timeoutMs } = this.settings;
    const endsAt = performance.now() + timeoutMs;
    for (let failed = 1; ; failed++) {
      try {
        return await this.attempt(request, signal);
      } catch (error) {
        if (!(error instanceof PartError) || signal.aborted) throw error;
        onFailure(error);
        const waitMs = nextAttemptMs(error, { failed, attempts, leftMs: endsAt - performance.now() });
        if (waitMs === undefined) throw error;
        await sleep(waitMs, undefined, { signal });
      }
    }
  }

  /** A token that the gateway refuses is renewed once: it may have been revoked, or the clocks differ. */
  private async attempt(
    request: { url: string; id: string; body: string },
    signal: AbortSignal,
  ): Promise<GatewayAnswer> {
    const token = await this.tokens.get();
    const answer = await this.post(request, token, signal);
    if (answer.status !== 401) return this.read(answer, token);
    this.tokens.forget(token);
    const renewed = await this.tokens.get();
    return this.read(await this.post(request, renewed, signal), renewed);
  }

  private async post(
    { url, id, body }: { url: string; id: string; body: string },
    token: string,
    caller: AbortSignal,
  ): Promise<HttpAnswer> {
    const headers = {
      authorization: `Bearer ${token}`,
      'content-type': 'application/json',
      accept: 'application/json',
      'idempotency-key': id,
    };
    const limit = { what: 'An attempt to reach the gateway', timeoutMs: ATTEMPT_TIMEOUT_MS, caller };
    return withinTime(limit, (signal) => postHttp(GATEWAY, url, { headers, body }, signal));
  }

  private read({ status, text, retryAfterMs }: HttpAnswer, token: string): GatewayAnswer {
    if (status >= 200 && status <= 299) return { status, body: text === '' ? undefined : (readJson(text) ?? text) };
    const shown = hideSecrets(text, [token, this.settings.clientSecret]).slice(0, SHOWN_ANSWER);
    const message = `The gateway has answered with status ${status}: ${shown}`;
    if (status === 401) throw new PartError('GATEWAY_LOGIN_REFUSED', `${message} (also with a new token)`, { status });
    if (status === 429) throw new PartError('GATEWAY_BUSY', message, { status, retryAfterMs });
    if (status >= 500) throw new PartError('GATEWAY_UNAVAILABLE', message, { status, retryAfterMs });
    throw new PartError('GATEWAY_REFUSED', message, { status });
  }

  /** Within the address of the settings, so that no value of a message sends the token elsewhere. */
  private addressOf({ path = '' }: GatewayMessage): string {
    const base = this.settings.url;
    if (path === '') return base;
    const segments = path.split('/');
    if (segments.some((segment) => ['', '.', '..'].includes(segment))) {
      throw new PartError(
        'GATEWAY_INVALID',
        `The path ${JSON.stringify(path)} must have no empty part, no "." and no ".."`,
      );
    }
    const url = new URL(base);
    url.pathname = `${url.pathname.replace(/\/$/, '')}/${segments.map(encodeURIComponent).join('/')}`;
    return url.href;
  }
}

function checkedId(id: string): string {
  if (/^[\x21-\x7e]{1,200}$/.test(id)) return id;
  throw new PartError(
    'GATEWAY_INVALID',
    'The id of a message must have 1 to 200 visible ASCII characters, without spaces',
  );
}
