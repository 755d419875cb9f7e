import { Writable } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { writeTogether } from '../../../src/services/rabbitmq/write-together.js';

const turn = () => new Promise((resolve) => setImmediate(resolve));

describe('writeTogether', () => {
  it('makes one write of what is sent in a turn, and writes it soon', async () => {
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
    for (const text of ['a', 'b', 'c']) {
      writeTogether(channel);
      setImmediate(() => stream.write(text));
    }
    await turn();
    expect(writes).toEqual([]);
    await turn();
    await turn();
    expect(writes).toEqual(['a+b+c']);
    stream.write('d');
    expect(writes).toEqual(['a+b+c', 'd']);
  });
});
