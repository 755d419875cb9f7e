import { createHmac } from 'node:crypto';

export const SIGNATURE_HEADER = 'x-batch-signature';

/**
 * The value of the header: `t=<seconds since 1970>,v1=<hex of HMAC-SHA-256 of "t.body">`. docs/alerts.md shows receivers how to check it.
 */
export function signBody(body: string, secret: string, now: Date): string {
  const t = Math.floor(now.getTime() / 1000);
  return `t=${t},v1=${createHmac('sha256', secret).update(`${t}.${body}`).digest('hex')}`;
}
