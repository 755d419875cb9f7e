import { z } from 'zod';
import { hideSecrets } from '../hide-secrets.js';
import { AccessTokens, type AccessToken } from '../http/access-tokens.js';
import { postHttp, type HttpAnswer } from '../http/http-call.js';
import { readJson, readTokenAnswer } from '../http/token-answer.js';
import { PartError } from '../part-error.js';
import { withinTime } from '../time-limit.js';
import { fcmCodeOf, toFcmFailure } from './fcm-failure.js';
import { PushSender, type PushMessage } from './push-sender.js';
import type { PushSettings } from './push-settings.js';
import { signAssertion } from './signed-assertion.js';

const SCOPE = 'https://www.googleapis.com/auth/firebase.messaging';
const GRANT = 'urn:ietf:params:oauth:grant-type:jwt-bearer';
const TIMEOUT_MS = 10_000;
const SHOWN_ANSWER = 200;
const FCM = { name: 'FCM', variable: 'PUSH_URL', unavailable: 'PUSH_UNAVAILABLE' } as const;
const TOKEN_ENDPOINT = {
  name: 'The token endpoint of the service account',
  variable: 'PUSH_SERVICE_ACCOUNT',
  unavailable: 'PUSH_UNAVAILABLE',
} as const;

const acceptedSchema = z.object({ name: z.string() });

/**
 * Sends through the HTTP v1 API of Firebase Cloud Messaging. Its access token is that of a service account, and is kept until shortly before
 * it expires.
 */
export class FcmPushSender extends PushSender {
  private readonly url: string;
  private readonly tokens: AccessTokens;

  constructor(private readonly settings: PushSettings) {
    super();
    this.url = new URL(`/v1/projects/${settings.account.projectId}/messages:send`, settings.url).href;
    this.tokens = new AccessTokens(() => this.fetchToken());
  }

  async send({ token, title, body, data }: PushMessage, signal?: AbortSignal): Promise<string> {
    const message = { token, notification: { title, body }, ...(data !== undefined && { data }) };
    const limit = { what: 'Sending a push message', timeoutMs: TIMEOUT_MS, caller: signal };
    return withinTime(limit, async (within) => {
      const { answer, accessToken } = await this.postMessage(JSON.stringify({ message }), within);
      // The token of a device is what its messages are addressed with, so it is hidden too.
      const shown = { ...answer, text: hideSecrets(answer.text, [accessToken, token]) };
      if (!isSuccess(shown)) throw toFcmFailure(shown);
      const accepted = acceptedSchema.safeParse(readJson(shown.text));
      if (accepted.success) return accepted.data.name;
      throw new PartError(
        'PUSH_UNAVAILABLE',
        `FCM has answered without the name of the message: ${shown.text.slice(0, SHOWN_ANSWER)}`,
      );
    });
  }

  /** A token that is refused is renewed once. */
  private async postMessage(body: string, signal: AbortSignal): Promise<{ answer: HttpAnswer; accessToken: string }> {
    const first = await this.postWith(await this.tokens.get(), body, signal);
    // With a code of its own, FCM does not mean this token.
    if (first.answer.status !== 401 || fcmCodeOf(first.answer.text) !== undefined) return first;
    this.tokens.forget(first.accessToken);
    return this.postWith(await this.tokens.get(), body, signal);
  }

  private async postWith(accessToken: string, body: string, signal: AbortSignal) {
    const headers = { authorization: `Bearer ${accessToken}`, 'content-type': 'application/json' };
    return { accessToken, answer: await postHttp(FCM, this.url, { headers, body }, signal) };
  }

  private async fetchToken(): Promise<AccessToken> {
    const { account } = this.settings;
    const assertion = signAssertion(account, SCOPE, new Date());
    const request = {
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
      body: new URLSearchParams({ grant_type: GRANT, assertion }).toString(),
    };
    const limit = { what: 'The request for a token of FCM', timeoutMs: TIMEOUT_MS };
    const answer = await withinTime(limit, (signal) => postHttp(TOKEN_ENDPOINT, account.tokenUri, request, signal));
    const { status, text, retryAfterMs } = answer;
    const told = `${TOKEN_ENDPOINT.name} has answered with status ${status}`;
    const shown = hideSecrets(text, [assertion]).slice(0, SHOWN_ANSWER);
    if (status === 429) throw new PartError('PUSH_BUSY', `${told}: ${shown}`, { status, retryAfterMs });
    if (status >= 500) throw new PartError('PUSH_UNAVAILABLE', `${told}: ${shown}`, { status, retryAfterMs });
    if (!isSuccess(answer)) {
      throw new PartError('PUSH_LOGIN_REFUSED', `${told}: check PUSH_SERVICE_ACCOUNT: ${shown}`, { status });
    }
    const token = readTokenAnswer(text);
    if (token === undefined) throw new PartError('PUSH_UNAVAILABLE', `${told}, without an access_token`, { status });
    return token;
  }
}

const isSuccess = ({ status }: HttpAnswer): boolean => status >= 200 && status <= 299;
