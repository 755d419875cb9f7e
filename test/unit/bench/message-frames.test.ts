import { describe, expect, it } from 'vitest';
import { MessageFrames, type Frame } from '../../../bench/counting/message-frames.js';
import { done, message, query, ready, startup } from './frames.js';

const types = (frames: readonly Frame[]): string => frames.map(({ type }) => type).join('');

describe('messages between a client and PostgreSQL', () => {
  const stream = Buffer.concat([...done('INSERT 0 7'), message('D', 'x'.repeat(300)), message('n'), ready('T')]);

  it('are found wherever the bytes were cut', () => {
    for (const size of [1, 2, 3, 4, 5, 7, 64, stream.length]) {
      const frames = new MessageFrames(false);
      const found: Frame[] = [];
      for (let at = 0; at < stream.length; at += size) found.push(...frames.take(stream.subarray(at, at + size)));
      expect(types(found), `${size} at a time`).toBe('CDnZ');
      expect(found.map(({ body }) => body.length)).toEqual([11, 300, 0, 1]);
      expect(found[0]!.body.toString()).toBe('INSERT 0 7\0');
    }
  });

  it('are not told before they are complete', () => {
    const frames = new MessageFrames(false);
    expect(frames.take(stream.subarray(0, 15))).toEqual([]);
    expect(types(frames.take(stream.subarray(15, 16)))).toBe('C');
  });

  it('have no type where a client begins, and one from then on', () => {
    const frames = new MessageFrames(true);
    const found = frames.take(Buffer.concat([startup(), query()]));
    expect(found.map(({ type }) => type)).toEqual(['', 'Q']);
  });
});
