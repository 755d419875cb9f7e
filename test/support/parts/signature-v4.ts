import { createHash, createHmac } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';

export interface RawRequest {
  method: string;
  /** As it stands in the first line of the request: path and query, encoded. */
  path: string;
  headers: IncomingHttpHeaders;
  body: Buffer;
}

export interface SigningKey {
  accessKeyId: string;
  secret: string;
  /** `s3`, `ses` */
  service: string;
}

const ALGORITHM = 'AWS4-HMAC-SHA256';
const AUTHORIZATION = /^AWS4-HMAC-SHA256 Credential=([^,]+), ?SignedHeaders=([^,]+), ?Signature=([0-9a-f]{64})$/;

const sha256 = (data: string | Buffer): string => createHash('sha256').update(data).digest('hex');
const hmac = (key: string | Buffer, data: string): Buffer => createHmac('sha256', key).update(data).digest();

/**
 * Why Signature Version 4 of this request is not right. Undefined: it is right. Nothing of AWS' SDK is used: the rules are those of
 * https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html, and for S3 of
 * https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html.
 */
export function signatureFault(request: RawRequest, { accessKeyId, secret, service }: SigningKey): string | undefined {
  const { headers, body } = request;
  const [, credential = '', signedHeaders = '', signature] = AUTHORIZATION.exec(headers.authorization ?? '') ?? [];
  const [keyId, day = '', region = '', ...scopeEnd] = credential.split('/');
  if (keyId !== accessKeyId) return `the access key is ${keyId}`;
  if (scopeEnd.join('/') !== `${service}/aws4_request`) return `the scope ends with ${scopeEnd.join('/')}`;
  const time = String(headers['x-amz-date']);
  if (!/^\d{8}T\d{6}Z$/.test(time) || !time.startsWith(day)) return `the time ${time} is not one of the day ${day}`;
  const signed = signedHeaders.split(';');
  const unsigned = Object.keys(headers).filter((name) => isToBeSigned(name) && !signed.includes(name));
  if (unsigned.length > 0) return `these headers are not signed: ${unsigned.join(', ')}`;
  const payload = headers['x-amz-content-sha256'] ?? sha256(body);
  if (payload !== sha256(body))
    return `the hash of the body is ${sha256(body)}, and the header says ${String(payload)}`;

  const scope = [day, region, service, 'aws4_request'];
  const text = [ALGORITHM, time, scope.join('/'), sha256(canonicalRequest(request, signed, payload, service))].join(
    '\n',
  );
  const key = scope.reduce<string | Buffer>(hmac, `AWS4${secret}`);
  const expected = hmac(key, text).toString('hex');
  return signature === expected ? undefined : `the signature is ${String(signature)}, and ${expected} is right`;
}

const isToBeSigned = (name: string): boolean =>
  name === 'host' || name === 'content-type' || name === 'content-md5' || name.startsWith('x-amz-');

function canonicalRequest(
  { method, path, headers }: RawRequest,
  signed: readonly string[],
  payload: string,
  service: string,
): string {
  const [resource = '', query = ''] = path.split('?');
  const segments = resource.split('/').map((segment) => encode(decodeURIComponent(segment)));
  return [
    method,
    // All services but S3 encode the path a second time.
    (service === 's3' ? segments : segments.map(encode)).join('/'),
    canonicalQuery(query),
    ...signed.map((name) => `${name}:${String(headers[name]).trim().replace(/ +/g, ' ')}`),
    '',
    signed.join(';'),
    payload,
  ].join('\n');
}

function canonicalQuery(query: string): string {
  const pairs = query.split('&').filter((pair) => pair !== '');
  return pairs
    .map((pair) => {
      const [name = '', value = ''] = pair.split('=');
      return `${encode(decodeURIComponent(name))}=${encode(decodeURIComponent(value))}`;
    })
    .sort()
    .join('&');
}

/** Everything but the unreserved characters of RFC 3986. */
function encode(text: string): string {
  return encodeURIComponent(text).replace(/[!'()*]/g, (sign) => `%${sign.charCodeAt(0).toString(16).toUpperCase()}`);
}
