import { withinTime } from '../time-limit.js';
import { PartError } from '../part-error.js';
import { hideSecrets } from '../hide-secrets.js';
import type { AccessToken } from '../http/access-tokens.js';
import { postHttp } from '../http/http-call.js';
import { readTokenAnswer } from '../http/token-answer.js';
import type { GatewaySettings } from './gateway-settings.js';

const TIMEOUT_MS = 10_000;
const SHOWN_ANSWER = 200;
const TOKEN_ENDPOINT = {
  name: 'The token endpoint of the gateway',
  variable: 'GATEWAY_TOKEN_URL',
  unavailable: 'GATEWAY_UNAVAILABLE',
} as const;

/**
 * Asks the token endpoint for a token, with the grant `client_credentials` of RFC 6749, 4.4. Id and secret are sent by HTTP Basic, which
 * every such server supports.
 *
 * @throws PartError TLS_REFUSED, GATEWAY_LOGIN_REFUSED, GATEWAY_BUSY, GATEWAY_UNAVAILABLE, TIMED_OUT
 */
export async function fetchGatewayToken(settings: GatewaySettings): Promise<AccessToken> {
  const { tokenUrl, scope } = settings;
  const credentials = basicCredentials(settings);
  const request = {
    headers: { authorization: `Basic ${credentials}`, 'content-type': 'application/x-www-form-urlencoded' },
    body: new URLSearchParams({ grant_type: 'client_credentials', ...(scope !== undefined && { scope }) }).toString(),
  };
  const limit = { what: 'The request for a token of the gateway', timeoutMs: Math.min(TIMEOUT_MS, settings.timeoutMs) };
  const answer = await withinTime(limit, (signal) => postHttp(TOKEN_ENDPOINT, tokenUrl, request, signal));
  const { status, text, retryAfterMs } = answer;
  const shown = hideSecrets(text, [settings.clientSecret, credentials]).slice(0, SHOWN_ANSWER);
  const told = `${TOKEN_ENDPOINT.name} has answered with status ${status}`;
  if (status === 429) throw new PartError('GATEWAY_BUSY', `${told}: ${shown}`, { status, retryAfterMs });
  if (status >= 500) throw new PartError('GATEWAY_UNAVAILABLE', `${told}: ${shown}`, { status, retryAfterMs });
  if (status < 200 || status > 299) {
    const cure = 'check GATEWAY_TOKEN_URL, GATEWAY_CLIENT_ID and GATEWAY_CLIENT_SECRET';
    throw new PartError('GATEWAY_LOGIN_REFUSED', `${told}: ${cure}: ${shown}`, { status });
  }
  const token = readTokenAnswer(text);
  // The answer is not shown: it may hold a token under another name.
  if (token === undefined) throw new PartError('GATEWAY_UNAVAILABLE', `${told}, without an access_token`, { status });
  return token;
}

/** Both are encoded as in a form before, see RFC 6749, 2.3.1. */
function basicCredentials({ clientId, clientSecret }: GatewaySettings): string {
  const encoded = [clientId, clientSecret].map((text) => new URLSearchParams({ '': text }).toString().slice(1));
  return Buffer.from(encoded.join(':')).toString('base64');
}
