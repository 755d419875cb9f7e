import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FrameScanner } from '../../../src/controllers/rpc/frame-scanner.js';

const MAX_KB = 1;
const frame = (text: string): string => `${text.length}#${text}`;

/** What a scanner says of these bytes, given to it in pieces. */
function scan(pieces: readonly Buffer[]): { text: string; code?: string } {
  const scanner = new FrameScanner(MAX_KB);
  let text = '';
  for (const piece of pieces) {
    const scanned = scanner.scan(piece);
    text += scanned.text;
    if (scanned.fault !== undefined) return { text, code: scanned.fault.code };
  }
  return { text };
}

const byByte = (bytes: Buffer): Buffer[] => [...bytes].map((byte) => Buffer.of(byte));

describe('FrameScanner', () => {
  it('passes frames on as they are, wherever the network cuts them', () => {
    const text = fc.string({ unit: 'grapheme', maxLength: 40 });
    fc.assert(
      fc.property(fc.array(text), fc.array(fc.nat(200)), (texts, cuts) => {
        const stream = texts.map(frame).join('');
        const bytes = Buffer.from(stream);
        const bounds = [0, ...cuts.filter((at) => at < bytes.length).sort((a, b) => a - b), bytes.length];
        const pieces = bounds.slice(1).map((end, index) => bytes.subarray(bounds[index], end));
        expect(scan(pieces)).toEqual({ text: stream });
        expect(scan(byByte(bytes))).toEqual({ text: stream });
      }),
    );
  });

  it.each<[what: string, stream: string, text: string, code: string]>([
    ['no digit', 'hello', '', 'MALFORMED_MESSAGE'],
    ['a length that is no number', '5x#', '5', 'MALFORMED_MESSAGE'],
    ['no length before the #', '#{}', '', 'MALFORMED_MESSAGE'],
    ['a negative length', '-5#', '', 'MALFORMED_MESSAGE'],
    ['something else after a frame', '2#{}\n2#{}', '2#{}', 'MALFORMED_MESSAGE'],
    ['a length beyond the limit', '1025', '102', 'PAYLOAD_TOO_LARGE'],
    ['a length beyond every number', '9'.repeat(400), '999', 'PAYLOAD_TOO_LARGE'],
  ])('refuses %s as soon as it is there', (_what, stream, text, code) => {
    expect(scan([Buffer.from(stream)])).toEqual({ text, code });
    expect(scan(byByte(Buffer.from(stream)))).toEqual({ text, code });
  });

  it.each<[what: string, bytes: number[]]>([
    ['a byte of Latin-1', [0xe9, 0x22]],
    ['a byte that no character has', [0xff]],
    ['a continuation without a beginning', [0x80, 0x80, 0x80, 0x80, 0x80]],
    ['half a character', [0xf0, 0x9d, 0x22]],
    ['too long a form', [0xc0, 0xaf]],
    ['a lone surrogate', [0xed, 0xa0, 0x80]],
  ])('refuses %s, and passes on what stands before it', (_what, bad) => {
    const good = '3#"\ufffd"20#"𝄞';
    const bytes = Buffer.concat([Buffer.from(good), Buffer.from(bad), Buffer.from('abc')]);
    expect(scan([bytes])).toEqual({ text: good, code: 'MALFORMED_MESSAGE' });
    expect(scan(byByte(bytes))).toEqual({ text: good, code: 'MALFORMED_MESSAGE' });
  });

  it('takes a frame of just the limit', () => {
    const stream = frame(' '.repeat(1024));
    expect(scan([Buffer.from(stream)])).toEqual({ text: stream });
  });
});
