import { Writable } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { writeTogether } from '../../../src/services/rabbitmq/write-together.js';

const turn = () => new Promise((resolve) => setImmediate(resolve));

/** A stream that tells its writes; what was written together is joined. */
function tellingStream(): { stream: Writable; writes: string[]; send: (text: string) => void } {
  const writes: string[] = [];
  const stream = new Writable({
    decodeStrings: false,
    write: (chunk: string, _, done) => {
      writes.push(chunk);
      done();
    },
    writev: (chunks, done) => {
      writes.push(chunks.map(({ chunk }) => String(chunk)).join('+'));
      done();
    },
  });
  const channel = { connection: { serverProperties: {}, stream } } as never;
  // As the library does: handed over now, written in an immediate.
  const send = (text: string): void => {
    writeTogether(channel);
    setImmediate(() => stream.write(text));
  };
  return { stream, writes, send };
}

describe('writeTogether', () => {
  it('makes one write of what is sent in a turn, and writes it soon', async () => {
    const { stream, writes, send } = tellingStream();
    for (const text of ['a', 'b', 'c']) send(text);
    await turn();
    expect(writes).toEqual([]);
    for (let turns = 0; turns < 4; turns += 1) await turn();
    expect(writes).toEqual(['a+b+c']);
    stream.write('d');
    expect(writes).toEqual(['a+b+c', 'd']);
  });

  it('does so in every one of many turns, and holds nothing back for longer than three', async () => {
    const { writes, send } = tellingStream();
    for (let number = 0; number < 20; number += 1) {
      for (const text of ['a', 'b', 'c']) send(`${text}${number}`);
      await turn();
      expect(writes.join('+').split('+').filter(Boolean).length).toBeGreaterThanOrEqual(3 * (number - 2));
    }
    for (let turns = 0; turns < 4; turns += 1) await turn();
    const sent = Array.from({ length: 20 }, (_, number) => `a${number}+b${number}+c${number}`);
    expect(writes.join('+')).toBe(sent.join('+'));
    for (const write of writes) expect(write.split('+').length % 3).toBe(0);
  });
});
