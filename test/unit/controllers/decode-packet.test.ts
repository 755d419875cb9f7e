import { describe, expect, it } from 'vitest';
import { decodePacket, type RpcPacket } from '../../../src/controllers/rpc/decode-packet.js';
import { runSteps } from '../../../src/services/steps/steps.js';

const decode = (body: Buffer): RpcPacket => runSteps(decodePacket(body, { maxBodyKb: 1 }));

describe('decodePacket', () => {
  it('reads every character as it was sent', () => {
    const body = Buffer.from('{"pattern":"echo","id":"1","data":"é\ufffd𝄞"}');
    expect(decode(body)).toEqual({ pattern: 'echo', id: '1', data: 'é\ufffd𝄞' });
  });

  it.each([
    ['a text', 'x'.repeat(201)],
    ['an array', Array.from({ length: 101 }, () => 1)],
  ])('refuses an id of more than 200 characters: %s', (_what, id) => {
    const body = Buffer.from(JSON.stringify({ pattern: 'echo', id }));
    expect(() => decode(body)).toThrow(expect.objectContaining({ code: 'MALFORMED_MESSAGE' }) as Error);
  });

  it('refuses bytes that are no UTF-8, which would be stored as other characters', () => {
    const body = Buffer.from('{"pattern":"echo","data":"é"}', 'latin1');
    expect(() => decode(body)).toThrow(
      expect.objectContaining({ code: 'MALFORMED_MESSAGE', message: 'The message is not valid UTF-8' }) as Error,
    );
  });
});
