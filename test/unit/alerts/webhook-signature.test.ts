import { describe, expect, it } from 'vitest';
import { signBody } from '../../../src/services/alerts/channels/webhook-signature.js';
import { documentedReceiver } from '../../support/documented-receiver.js';

const SECRET = 'a secret of the receiver, 32 chars or more';
const BODY = '{"event":"firing","title":"Größe"}';
const { isFromBatchService } = await documentedReceiver();

const signedAgo = (seconds: number): string => signBody(BODY, SECRET, new Date(Date.now() - seconds * 1000));

describe('the signature of a webhook', () => {
  it('has the time and a hex HMAC-SHA-256', () => {
    expect(signBody(BODY, SECRET, new Date('2026-01-01T03:00:00Z'))).toMatch(/^t=1767236400,v1=[0-9a-f]{64}$/);
  });

  it('is accepted by the check that the docs show to receivers', () => {
    expect(isFromBatchService(BODY, signedAgo(0), SECRET)).toBe(true);
    expect(isFromBatchService(BODY, signedAgo(290), SECRET)).toBe(true);
  });

  it.each<[claim: string, body: string, header: string | undefined, secret: string]>([
    ['another body', BODY.replace('firing', 'over'), signedAgo(0), SECRET],
    ['another secret', BODY, signedAgo(0), `${SECRET}!`],
    ['another time', BODY, signedAgo(10).replace(/t=\d+/, `t=${Math.floor(Date.now() / 1000)}`), SECRET],
    ['an old message', BODY, signedAgo(310), SECRET],
    ['a message of the future', BODY, signedAgo(-310), SECRET],
    ['no header', BODY, undefined, SECRET],
    ['a short digest', BODY, signedAgo(0).slice(0, -2), SECRET],
  ])('is refused by it for %s', (_claim, body, header, secret) => {
    expect(isFromBatchService(body, header, secret)).toBe(false);
  });
});
