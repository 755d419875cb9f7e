import { describe, expect, it } from 'vitest';
import { decodePacket } from '../../../src/controllers/rpc/decode-packet.js';

describe('decodePacket', () => {
  it('reads every character as it was sent', () => {
    const body = Buffer.from('{"pattern":"echo","id":"1","data":"é\ufffd𝄞"}');
    expect(decodePacket(body, 1)).toEqual({ pattern: 'echo', id: '1', data: 'é\ufffd𝄞' });
  });

  it.each([
    ['a text', 'x'.repeat(201)],
    ['an array', Array.from({ length: 101 }, () => 1)],
  ])('refuses an id of more than 200 characters: %s', (_what, id) => {
    const body = Buffer.from(JSON.stringify({ pattern: 'echo', id }));
    expect(() => decodePacket(body, 1)).toThrow(expect.objectContaining({ code: 'MALFORMED_MESSAGE' }) as Error);
  });

  it('refuses bytes that are no UTF-8, which would be stored as other characters', () => {
    const body = Buffer.from('{"pattern":"echo","data":"é"}', 'latin1');
    expect(() => decodePacket(body, 1)).toThrow(
      expect.objectContaining({ code: 'MALFORMED_MESSAGE', message: 'The message is not valid UTF-8' }) as Error,
    );
  });
});
