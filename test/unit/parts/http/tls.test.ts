import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { openFileStore } from '../../../../src/parts/files/open-file-store.js';
import { HttpMessageGateway } from '../../../../src/parts/gateway/http-message-gateway.js';
import { FcmPushSender } from '../../../../src/parts/push/fcm-push-sender.js';
import { readServiceAccount, type ServiceAccount } from '../../../../src/parts/push/service-account.js';
import { startFcmServer, type FcmServer } from '../../../support/parts/fcm-server.js';
import {
  CLIENT_ID,
  CLIENT_SECRET,
  startGatewayServer,
  type GatewayServer,
} from '../../../support/parts/gateway-server.js';
import { partFailure } from '../../../support/parts/part-failure.js';
import { TestCa } from '../../../support/tls/test-certificates.js';
import { startTlsFront, type TlsServer } from '../../../support/tls/tls-servers.js';

describe('an HTTPS server whose certificate nobody trusts', () => {
  let ca: TestCa;
  let untrusted: TlsServer;
  let gateway: GatewayServer;
  let fcm: FcmServer;
  let url: string;
  beforeAll(async () => {
    for (const name of ['AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY']) vi.stubEnv(name, 'any');
    ca = await TestCa.make();
    [gateway, fcm] = [await startGatewayServer(), await startFcmServer()];
    untrusted = await startTlsFront(await ca.issue('server'), { port: Number(new URL(gateway.url).port) });
    url = `https://localhost:${untrusted.port}`;
  });
  afterAll(async () => {
    vi.unstubAllEnvs();
    await untrusted?.stop();
    await Promise.all([gateway?.close(), fcm?.close(), ca?.remove()]);
  });

  const sendTo = ({ messages = gateway.url, tokens = gateway.tokenUrl }): Promise<unknown> =>
    new HttpMessageGateway({
      ...{ url: messages, tokenUrl: tokens, clientId: CLIENT_ID, clientSecret: CLIENT_SECRET },
      ...{ scope: undefined, timeoutMs: 30_000, attempts: 5 },
    }).send({ id: 'receipt:42', body: {} });
  const pushTo = ({ messages = fcm.url, tokens = fcm.account.token_uri }): Promise<unknown> => {
    const account = readServiceAccount(JSON.stringify({ ...fcm.account, token_uri: tokens })) as ServiceAccount;
    return new FcmPushSender({ url: messages, account }).send({ token: 'device', title: 'Paid', body: 'Paid' });
  };
  const list = async (): Promise<unknown> => {
    const place = { kind: 's3', bucket: 'reports', root: '', region: 'eu-central-1', endpoint: url } as const;
    const store = await openFileStore({ place, timeoutMs: 30_000 });
    return store.list().finally(() => store.close());
  };

  it.each<[name: string, use: () => Promise<unknown>]>([
    ['The gateway: ', () => sendTo({ messages: url })],
    ['The token endpoint of the gateway: ', () => sendTo({ tokens: url })],
    ['FCM: ', () => pushTo({ messages: url })],
    ['The token endpoint of the service account: ', () => pushTo({ tokens: url })],
    ['Listing "": the server of S3 ', list],
  ])('is named with the cause and the cure: %s', async (name, use) => {
    const failed = await partFailure(use());
    expect(failed).toMatchObject({ code: 'TLS_REFUSED', retryable: false });
    expect(failed.message).toMatch(
      / shows a certificate that no trusted CA has signed \(\w+\): .* in NODE_EXTRA_CA_CERTS$/,
    );
    expect(failed.message.startsWith(`${name}localhost:${untrusted.port} `)).toBe(true);
  });
});
