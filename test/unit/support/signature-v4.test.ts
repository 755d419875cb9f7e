import { describe, expect, it } from 'vitest';
import { signatureFault, type RawRequest } from '../../support/parts/signature-v4.js';

const EMPTY = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855';
const KEY = { accessKeyId: 'AKIAIOSFODNN7EXAMPLE', secret: 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY', service: 's3' };

function s3Request(
  method: string,
  path: string,
  signature: string,
  more: RawRequest['headers'],
  body = '',
): RawRequest {
  const headers: RawRequest['headers'] = {
    host: 'examplebucket.s3.amazonaws.com',
    'x-amz-content-sha256': EMPTY,
    'x-amz-date': '20130524T000000Z',
    ...more,
  };
  const signed = Object.keys(headers).sort().join(';');
  const scope = `${KEY.accessKeyId}/20130524/us-east-1/s3/aws4_request`;
  const authorization = `AWS4-HMAC-SHA256 Credential=${scope},SignedHeaders=${signed},Signature=${signature}`;
  return { method, path, headers: { ...headers, authorization }, body: Buffer.from(body) };
}

/** https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html */
const GET_OBJECT = s3Request('GET', '/test.txt', 'f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41', {
  range: 'bytes=0-9',
});
const PUT_OBJECT = s3Request(
  'PUT',
  '/test$file.text',
  '98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd',
  {
    date: 'Fri, 24 May 2013 00:00:00 GMT',
    'x-amz-content-sha256': '44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072',
    'x-amz-storage-class': 'REDUCED_REDUNDANCY',
  },
  'Welcome to Amazon S3.',
);
const LIST_OBJECTS = s3Request(
  'GET',
  '/?max-keys=2&prefix=J',
  '34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7',
  {},
);

describe('the check of Signature Version 4', () => {
  it.each([
    ['GET Object', GET_OBJECT],
    ['PUT Object', PUT_OBJECT],
    ['GET Bucket (List Objects)', LIST_OBJECTS],
  ])('accepts the example that AWS publishes: %s', (_name, request) => {
    expect(signatureFault(request, KEY)).toBeUndefined();
  });

  it.each<[what: string, change: Partial<RawRequest>, fault: string]>([
    ['another path', { path: '/test2.txt' }, 'the signature is'],
    ['another method', { method: 'DELETE' }, 'the signature is'],
    ['another query', { path: '/test.txt?versionId=1' }, 'the signature is'],
    ['another value of a header', { headers: { ...GET_OBJECT.headers, range: 'bytes=0-99' } }, 'the signature is'],
    ['another body', { body: Buffer.from('x') }, 'the hash of the body is'],
    ['a header that is not signed', { headers: { ...GET_OBJECT.headers, 'x-amz-acl': 'public-read' } }, 'x-amz-acl'],
    ['no signature', { headers: { ...GET_OBJECT.headers, authorization: undefined } }, 'the access key is'],
  ])('refuses %s', (_what, change, fault) => {
    expect(signatureFault({ ...GET_OBJECT, ...change }, KEY)).toContain(fault);
  });

  it('refuses another secret and another service', () => {
    expect(signatureFault(GET_OBJECT, { ...KEY, secret: 'other' })).toContain('the signature is');
    expect(signatureFault(GET_OBJECT, { ...KEY, service: 'ses' })).toContain('the scope ends with s3/');
  });
});
