import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createServer, request as httpRequest, type IncomingMessage, type ServerResponse } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import S3rver from 's3rver';
import { signatureFault, type RawRequest } from './signature-v4.js';

export const BUCKET = 'reports';
/** The only credentials that it knows. */
export const S3_CREDENTIALS = { AWS_ACCESS_KEY_ID: 'S3RVER', AWS_SECRET_ACCESS_KEY: 'S3RVER' };

const SIGNING_KEY = {
  accessKeyId: S3_CREDENTIALS.AWS_ACCESS_KEY_ID,
  secret: S3_CREDENTIALS.AWS_SECRET_ACCESS_KEY,
  service: 's3',
};
const MISMATCH =
  '<?xml version="1.0" encoding="UTF-8"?><Error><Code>SignatureDoesNotMatch</Code><Message>The request signature we calculated ' +
  'does not match the signature you provided. Check your key and signing method.</Message></Error>';

export interface S3Server {
  url: string;
  /** Those whose signature was right, oldest first: method and path as they came. */
  accepted: string[];
  /** Why it has refused signatures. */
  faults: string[];
  close(): Promise<void>;
}

/**
 * A server that speaks the API of S3, on 127.0.0.1, with an empty bucket. s3rver checks the access key and no signature of version 4. So
 * this server stands before it, computes the signature of each request anew, and answers as AWS does when it is another one.
 */
export async function startS3Server(): Promise<S3Server> {
  const directory = await mkdtemp(join(tmpdir(), 'batch-s3-'));
  const store = new S3rver({
    ...{ address: '127.0.0.1', port: 0, silent: true, directory, resetOnClose: false },
    configureBuckets: [{ name: BUCKET, configs: [] }],
  });
  const { port: storePort } = await store.run();
  const accepted: string[] = [];
  const faults: string[] = [];
  const front = createServer((request, response) => {
    // A client that gives up its request is no failure of the test.
    answer(request, response).catch(() => response.destroy());
  });
  front.listen(0, '127.0.0.1');
  await once(front, 'listening');
  return {
    url: `http://127.0.0.1:${(front.address() as AddressInfo).port}`,
    accepted,
    faults,
    async close() {
      const closed = once(front, 'close');
      front.close();
      front.closeAllConnections();
      await closed;
      await store.close();
      await rm(directory, { recursive: true });
    },
  };

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method = '', url: path = '', headers } = request;
    const received = { method, path, headers, body: await buffer(request) };
    const fault = signatureFault(received, SIGNING_KEY);
    // s3rver says itself that it does not know a key.
    if (fault !== undefined && !fault.startsWith('the access key is')) {
      faults.push(fault);
      response.writeHead(403, { 'content-type': 'application/xml' }).end(MISMATCH);
      return;
    }
    if (fault === undefined) accepted.push(`${method} ${path}`);
    await forward(received, response);
  }

  async function forward({ method, path, headers, body }: RawRequest, response: ServerResponse): Promise<void> {
    const forwarded = httpRequest({ host: '127.0.0.1', port: storePort, method, path, headers });
    forwarded.end(body);
    const [answered] = (await once(forwarded, 'response')) as [IncomingMessage];
    response.writeHead(answered.statusCode!, answered.headers);
    await pipeline(answered, response);
  }
}
