import { createPrivateKey, generateKeyPairSync } from 'node:crypto';
import { inspect } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FcmPushSender } from '../../../../src/parts/push/fcm-push-sender.js';
import { readServiceAccount, type ServiceAccount } from '../../../../src/parts/push/service-account.js';
import { signAssertion, signRs256 } from '../../../../src/parts/push/signed-assertion.js';
import { eventually } from '../../../support/eventually.js';
import { fcmError, PROJECT, startFcmServer, type FcmServer } from '../../../support/parts/fcm-server.js';
import { partFailure } from '../../../support/parts/part-failure.js';
import { RFC_7515_A2 } from './rfc-7515-a2.js';

describe('push messages, against a server that plays FCM', () => {
  let server: FcmServer;
  beforeEach(async () => {
    server = await startFcmServer();
  });
  afterEach(() => server.close());

  const open = (changed: Record<string, string> = {}): FcmPushSender => {
    const account = readServiceAccount(JSON.stringify({ ...server.account, ...changed })) as ServiceAccount;
    return new FcmPushSender({ url: server.url, account });
  };
  const message = { token: 'device-token-of-ada', title: 'Paid', body: 'Your order is paid', data: { order: '42' } };

  it('are sent in the form of FCM HTTP v1, with a token for an assertion that Google can verify', async () => {
    expect(await open().send(message)).toBe(`projects/${PROJECT}/messages/1`);
    expect(server.messages).toEqual([
      {
        path: `/v1/projects/${PROJECT}/messages:send`,
        body: {
          message: {
            token: 'device-token-of-ada',
            notification: { title: 'Paid', body: 'Your order is paid' },
            data: { order: '42' },
          },
        },
      },
    ]);
    expect(server.header).toEqual({ alg: 'RS256', typ: 'JWT', kid: 'key-1' });
    const [claims] = server.claims;
    expect(claims).toEqual({
      iss: server.account.client_email,
      scope: 'https://www.googleapis.com/auth/firebase.messaging',
      aud: server.account.token_uri,
      iat: expect.any(Number) as number,
      exp: Number(claims!.iat) + 3600,
    });
  });

  it('share one token, also 50 at the same time', async () => {
    const sender = open();
    await Promise.all(Array.from({ length: 50 }, () => sender.send(message)));
    await sender.send(message);
    expect(server.messages).toHaveLength(51);
    expect(server.claims).toHaveLength(1);
  });

  it('get a new token once when theirs is refused', async () => {
    const sender = open();
    await sender.send(message);
    server.revoke();
    await sender.send(message);
    expect(server.claims).toHaveLength(2);
    expect(server.messages).toHaveLength(2);
  });

  it.each([
    [fcmError(404, 'NOT_FOUND', 'UNREGISTERED'), { code: 'PUSH_UNREGISTERED', retryable: false, status: 404 }],
    [fcmError(400, 'INVALID_ARGUMENT', 'INVALID_ARGUMENT'), { code: 'PUSH_INVALID', retryable: false }],
    [fcmError(400, 'INVALID_ARGUMENT'), { code: 'PUSH_INVALID', retryable: false }],
    [fcmError(403, 'PERMISSION_DENIED', 'SENDER_ID_MISMATCH'), { code: 'PUSH_REFUSED', retryable: false }],
    [fcmError(401, 'UNAUTHENTICATED', 'THIRD_PARTY_AUTH_ERROR'), { code: 'PUSH_LOGIN_REFUSED', retryable: false }],
    [fcmError(403, 'PERMISSION_DENIED'), { code: 'PUSH_LOGIN_REFUSED', retryable: false, status: 403 }],
    // Without a code of FCM it says nothing about the device.
    [fcmError(404, 'NOT_FOUND'), { code: 'PUSH_REFUSED', retryable: false }],
    [
      fcmError(429, 'RESOURCE_EXHAUSTED', 'QUOTA_EXCEEDED'),
      { code: 'PUSH_BUSY', retryable: true, retryAfterMs: 60_000 },
    ],
    [fcmError(503, 'UNAVAILABLE', 'UNAVAILABLE'), { code: 'PUSH_UNAVAILABLE', retryable: true }],
    [fcmError(500, 'INTERNAL', 'INTERNAL'), { code: 'PUSH_UNAVAILABLE', retryable: true }],
    [
      { status: 502, body: '<html>Bad gateway</html>' },
      { code: 'PUSH_UNAVAILABLE', retryable: true, status: 502 },
    ],
    [
      { status: 429, headers: { 'retry-after': '7' } },
      { code: 'PUSH_BUSY', retryable: true, retryAfterMs: 7000, status: 429 },
    ],
    [
      { status: 503, headers: { 'retry-after': '30' } },
      { code: 'PUSH_UNAVAILABLE', retryable: true, retryAfterMs: 30_000, status: 503 },
    ],
    ['cut' as const, { code: 'PUSH_UNAVAILABLE', retryable: true }],
  ])('that FCM answers with %j fail as %j', async (answer, expected) => {
    server.answerNext(answer);
    expect(await partFailure(open().send(message))).toMatchObject(expected);
    expect(server.claims).toHaveLength(1);
  });

  it('are refused when FCM refuses a new token too', async () => {
    const refuse = fcmError(401, 'UNAUTHENTICATED');
    server.answerNext(refuse, refuse);
    expect(await partFailure(open().send(message))).toMatchObject({ code: 'PUSH_LOGIN_REFUSED', retryable: false });
    expect(server.claims).toHaveLength(2);
  });

  it('are refused when the key of the account is not the one that the server knows', async () => {
    const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
    const other = privateKey.export({ type: 'pkcs8', format: 'pem' }) as string;
    const refused = await partFailure(open({ private_key: other }).send(message));
    expect(refused).toMatchObject({ code: 'PUSH_LOGIN_REFUSED', retryable: false, status: 400 });
    expect(refused.message).toContain('check PUSH_SERVICE_ACCOUNT');
    expect(server.messages).toEqual([]);
  });

  it.each([
    [503, 'PUSH_UNAVAILABLE'],
    [429, 'PUSH_BUSY'],
  ])('fail for now when the token endpoint answers with status %i', async (status, code) => {
    server.answerTokensNext({ status });
    expect(await partFailure(open().send(message))).toMatchObject({ code, retryable: true });
  });

  it('end when their caller gives up', async () => {
    server.answerNext('hang');
    const caller = new AbortController();
    const failed = partFailure(open().send(message, caller.signal));
    await eventually(() => expect(server.claims).toHaveLength(1));
    caller.abort();
    expect(await failed).toMatchObject({ code: 'ABORTED', retryable: true });
  });

  it('hide tokens that a server repeats', async () => {
    server.answerNext({ status: 500, body: 'Bearer fcm-access-token-1 for device-token-of-ada' });
    const failed = await partFailure(open().send(message));
    expect(failed.message).toContain('Bearer *** for ***');
    const shown = inspect(failed, { depth: Infinity, showHidden: true });
    for (const secret of ['fcm-access-token-1', 'device-token-of-ada']) expect(shown).not.toContain(secret);
  });
});

describe('the assertion of a service account', () => {
  /** The example of Google's page about OAuth 2.0 between servers. Its key is not public, its header and claims are. */
  it("has the header and the claims of Google's example, byte for byte", () => {
    const account: ServiceAccount = {
      projectId: 'any',
      clientEmail: '761326798069-r5mljlln1rd4lrbhg75efgigp36m78j5@developer.gserviceaccount.com',
      privateKey: generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey,
      privateKeyId: undefined,
      tokenUri: 'https://accounts.google.com/o/oauth2/token',
    };
    const scope = 'https://www.googleapis.com/auth/prediction';
    const [header, claims] = signAssertion(account, scope, new Date(1328550785_999)).split('.');
    expect(header).toBe('eyJhbGciOiJSUzI1NiIsInR5cCI6IkpXVCJ9');
    expect(claims).toBe(
      'eyJpc3MiOiI3NjEzMjY3OTgwNjktcjVtbGpsbG4xcmQ0bHJiaGc3NWVmZ2lncDM2bTc4ajVAZGV2ZWxvcGVyLmdzZXJ2aWNlYWNjb3VudC5jb20i' +
        'LCJzY29wZSI6Imh0dHBzOi8vd3d3Lmdvb2dsZWFwaXMuY29tL2F1dGgvcHJlZGljdGlvbiIsImF1ZCI6Imh0dHBzOi8vYWNjb3VudHMuZ29vZ2xl' +
        'LmNvbS9vL29hdXRoMi90b2tlbiIsImV4cCI6MTMyODU1NDM4NSwiaWF0IjoxMzI4NTUwNzg1fQ',
    );
  });

  it('is signed as in the example of RFC 7515, A.2', () => {
    const key = createPrivateKey({ key: RFC_7515_A2.key, format: 'jwk' });
    expect(signRs256(RFC_7515_A2.content, key)).toBe(RFC_7515_A2.signature);
  });
});
