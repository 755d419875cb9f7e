import { sign, type KeyObject } from 'node:crypto';
import type { ServiceAccount } from './service-account.js';

/** The longest that Google accepts. */
const LIFE_SECONDS = 3600;

/**
 * The JWT with which a service account asks for a token: RFC 7523, and Google's page "Using OAuth 2.0 for server to server applications".
 *
 * @param scope what the token is for
 */
export function signAssertion(
  { clientEmail, tokenUri, privateKey, privateKeyId }: ServiceAccount,
  scope: string,
  now: Date,
): string {
  const iat = Math.floor(now.getTime() / 1000);
  const header = { alg: 'RS256', typ: 'JWT', ...(privateKeyId !== undefined && { kid: privateKeyId }) };
  const claims = { iss: clientEmail, scope, aud: tokenUri, exp: iat + LIFE_SECONDS, iat };
  const content = [header, claims].map((part) => Buffer.from(JSON.stringify(part)).toString('base64url')).join('.');
  return `${content}.${signRs256(content, privateKey)}`;
}

/** RSASSA-PKCS1-v1_5 with SHA-256, as base64url: RFC 7518, 3.3. */
export function signRs256(content: string, key: KeyObject): string {
  return sign('sha256', Buffer.from(content), key).toString('base64url');
}
