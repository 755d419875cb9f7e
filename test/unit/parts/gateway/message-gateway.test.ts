import { inspect } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { HttpMessageGateway } from '../../../../src/parts/gateway/http-message-gateway.js';
import type { GatewaySettings } from '../../../../src/parts/gateway/gateway-settings.js';
import { eventually } from '../../../support/eventually.js';
import { partFailure } from '../../../support/parts/part-failure.js';
import { startHttpService } from '../../../support/parts/http-service.js';
import {
  CLIENT_ID,
  CLIENT_SECRET,
  startGatewayServer,
  type GatewayServer,
} from '../../../support/parts/gateway-server.js';

describe('the message gateway, against a real HTTP server', () => {
  let server: GatewayServer;
  beforeEach(async () => {
    server = await startGatewayServer();
  });
  afterEach(() => server.close());

  const open = (changed: Partial<GatewaySettings> = {}): HttpMessageGateway =>
    new HttpMessageGateway({
      ...{ url: server.url, tokenUrl: server.tokenUrl, clientId: CLIENT_ID, clientSecret: CLIENT_SECRET },
      ...{ scope: undefined, timeoutMs: 30_000, attempts: 5, ...changed },
    });
  const message = { id: 'receipt:42', body: { to: '+4912345', text: 'paid' } };

  it('sends a message as JSON, with a token that it has fetched by its id and secret', async () => {
    const answer = await open({ scope: 'sms mms' }).send({ ...message, path: 'sms/send now' });
    expect(answer).toEqual({ status: 202, body: { accepted: 'receipt:42' } });
    expect(server.requests.map(({ path }) => path)).toEqual(['/messages/sms/send%20now']);
    expect(server.accepted).toEqual(new Map([['receipt:42', [message.body]]]));
    expect(Object.fromEntries(new URLSearchParams(server.tokenRequests[0]!.body))).toEqual({
      grant_type: 'client_credentials',
      scope: 'sms mms',
    });
  });

  it('fetches one token for 100 messages at the same time', async () => {
    const gateway = open();
    await Promise.all(idsOf(100).map((id) => gateway.send({ id, body: {} })));
    expect(server.issued).toHaveLength(1);
    expect(server.accepted.size).toBe(100);
  });

  it('renews a token that was taken back once, for 100 messages that are refused with it', async () => {
    const gateway = open();
    await gateway.send({ id: 'first', body: {} });
    server.revoke();
    await Promise.all(idsOf(100).map((id) => gateway.send({ id, body: id })));
    expect(server.unauthorized).toBeGreaterThan(1);
    expect(server.issued).toHaveLength(2);
    expect([...server.accepted].filter(([, bodies]) => bodies.length !== 1)).toEqual([]);
    expect(server.accepted.size).toBe(101);
  });

  it('renews a token before it expires, so that none is refused', async () => {
    await server.close();
    server = await startGatewayServer({ lifeSeconds: 1 });
    const gateway = open();
    let sent = 0;
    await eventually(async () => {
      await gateway.send({ id: `m${sent++}`, body: {} });
      expect(server.issued.length).toBeGreaterThanOrEqual(3);
    });
    expect(server.unauthorized).toBe(0);
    expect(server.accepted.size).toBe(sent);
  });

  it('gives up when a new token is refused too', async () => {
    await open().send(message);
    const other = await startGatewayServer();
    // The tokens of one server are nothing to the other.
    const refused = await partFailure(open({ tokenUrl: other.tokenUrl }).send(message));
    await other.close();
    expect(refused).toMatchObject({ code: 'GATEWAY_LOGIN_REFUSED', retryable: false, status: 401 });
    expect(other.issued).toHaveLength(2);
  });

  it('tries again after a failure of the server, with the same Idempotency-Key', async () => {
    server.answerNext({ status: 500, body: 'broken' }, 'cut', { status: 503 });
    await open().send(message);
    expect(server.requests).toHaveLength(4);
    expect(new Set(server.requests.map(({ headers }) => headers['idempotency-key']))).toEqual(new Set(['receipt:42']));
    expect(server.accepted.get('receipt:42')).toHaveLength(1);
  });

  it('waits longer before each attempt', async () => {
    server.answerNext({ status: 500 }, { status: 500 }, { status: 500 });
    await open().send(message);
    const [first, ...others] = waitsOf(server);
    expect(first).toBeGreaterThanOrEqual(120);
    // Of 1000 ms at least the half: the jitter takes no more.
    expect(others.at(-1)).toBeGreaterThanOrEqual(490);
  });

  it('waits as long as Retry-After asks for', async () => {
    server.answerNext({ status: 429, headers: { 'retry-after': '1' } });
    await open().send(message);
    expect(waitsOf(server)[0]).toBeGreaterThanOrEqual(990);
  });

  it('does not wait for an attempt that there is no time for', async () => {
    server.answerNext({ status: 429, headers: { 'retry-after': '3600' }, body: 'slow down' });
    expect(await partFailure(open().send(message))).toMatchObject({
      ...{ code: 'GATEWAY_BUSY', retryable: true, status: 429, retryAfterMs: 3_600_000 },
      message: 'The gateway has answered with status 429: slow down',
    });
  });

  it('gives up after the number of attempts of the settings', async () => {
    server.answerNext({ status: 500 }, { status: 502, body: 'no upstream' }, { status: 500 });
    const failed = await partFailure(open({ attempts: 2 }).send(message));
    expect(failed).toMatchObject({ code: 'GATEWAY_UNAVAILABLE', retryable: true, status: 502 });
    expect(server.requests).toHaveLength(2);
  });

  it.each([400, 403, 404, 409, 422])('does not try again after status %i', async (status) => {
    server.answerNext({ status, body: { error: 'no such number' } });
    expect(await partFailure(open().send(message))).toMatchObject({
      ...{ code: 'GATEWAY_REFUSED', retryable: false, status },
      message: `The gateway has answered with status ${status}: {"error":"no such number"}`,
    });
    expect(server.requests).toHaveLength(1);
  });

  it('does not follow a redirection with its token', async () => {
    let followed = 0;
    const elsewhere = await startHttpService(() => ({ status: 200 + 0 * followed++ }));
    server.answerNext({ status: 307, headers: { location: elsewhere.url } });
    expect(await partFailure(open().send(message))).toMatchObject({ code: 'GATEWAY_REFUSED', status: 307 });
    await elsewhere.close();
    expect(followed).toBe(0);
  });

  it('ends in time when the server never answers', async () => {
    server.answerNext({ status: 500, body: 'broken' }, 'hang');
    const failed = await partFailure(open({ timeoutMs: 1500 }).send(message));
    expect(failed).toMatchObject({ code: 'TIMED_OUT', retryable: true });
    expect(failed.message).toBe(
      'Message "receipt:42" to the gateway took longer than 1500 ms; ' +
        'the last attempt: The gateway has answered with status 500: broken',
    );
    expect(server.requests).toHaveLength(2);
  });

  it('ends in time when the token endpoint never answers', async () => {
    server.answerTokensNext('hang');
    expect(await partFailure(open({ timeoutMs: 300 }).send(message))).toMatchObject({ code: 'TIMED_OUT' });
    expect(server.requests).toEqual([]);
  });

  it('ends when its caller gives up, also between two attempts', async () => {
    server.answerNext({ status: 429, headers: { 'retry-after': '20' } });
    const caller = new AbortController();
    const failed = partFailure(open().send(message, caller.signal));
    await eventually(() => expect(server.requests).toHaveLength(1));
    caller.abort();
    expect(await failed).toMatchObject({ code: 'ABORTED', retryable: true });
  });

  it('waits for a token endpoint that is busy or fails', async () => {
    server.answerTokensNext({ status: 503 }, { status: 429 }, 'cut', { status: 200, body: 'no token' });
    await open().send(message);
    expect(server.tokenRequests).toHaveLength(5);
    expect(server.requests).toHaveLength(1);
  });

  it('is told at once that its id or secret is wrong', async () => {
    const refused = await partFailure(open({ clientSecret: 'another secret' }).send(message));
    expect(refused).toMatchObject({ code: 'GATEWAY_LOGIN_REFUSED', retryable: false, status: 401 });
    expect(refused.message).toContain('check GATEWAY_TOKEN_URL, GATEWAY_CLIENT_ID and GATEWAY_CLIENT_SECRET');
    expect(server.tokenRequests).toHaveLength(1);
  });

  it('hides secrets that a server repeats', async () => {
    const gateway = open({ attempts: 1 });
    const basic = `Basic ${Buffer.from(`${CLIENT_ID}:gateway%3Asecret%2Bword`).toString('base64')}`;
    server.answerTokensNext({ status: 400, body: `${CLIENT_SECRET} ${encodeURIComponent(CLIENT_SECRET)} ${basic}` });
    const login = await partFailure(gateway.send(message));
    server.answerNext({
      status: 500,
      body: `Bearer access-token-number-1-of-${new URL(server.url).port} ${CLIENT_SECRET}`,
    });
    const failed = await partFailure(gateway.send(message));
    expect(server.tokenRequests[0]!.headers.authorization).toBe(basic);
    expect(login.message).toMatch(/: \*\*\* \*\*\* Basic \*\*\*$/);
    expect(failed.message).toMatch(/: Bearer \*\*\* \*\*\*$/);
    for (const error of [login, failed]) {
      const shown = inspect(error, { depth: Infinity, showHidden: true });
      for (const secret of [CLIENT_SECRET, 'access-token-number', basic.slice(6)]) expect(shown).not.toContain(secret);
    }
  });

  it.each([
    ['an id with a line break', { id: 'a\r\nx-more: 1' }],
    ['an empty id', { id: '' }],
    ['a path that leaves the address', { path: '../admin' }],
    ['a path with an empty part', { path: '/sms' }],
  ])('refuses %s', async (_claim, changed) => {
    expect(await partFailure(open().send({ ...message, ...changed }))).toMatchObject({
      code: 'GATEWAY_INVALID',
      retryable: false,
    });
    expect(server.tokenRequests).toEqual([]);
  });
});

const idsOf = (count: number): string[] => Array.from({ length: count }, (_, index) => `message-${index}`);

/** The times between requests, in milliseconds. */
const waitsOf = ({ requests }: GatewayServer): number[] =>
  requests.slice(1).map(({ at }, index) => at - requests[index]!.at);
