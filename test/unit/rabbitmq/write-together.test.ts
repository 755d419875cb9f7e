import { Writable } from 'node:stream';
import { expect, it } from 'vitest';
import { writeTogether } from '../../../src/services/rabbitmq/write-together.js';

it('makes one write of what the library writes at once, in every turn', async () => {
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
  writeTogether({ connection: { serverProperties: {}, stream } } as never);
  for (const turn of ['1', '2', '3']) {
    for (const text of ['a', 'b', 'c']) stream.write(text + turn);
    await new Promise((resolve) => setImmediate(resolve));
  }
  expect(writes).toEqual(['a1+b1+c1', 'a2+b2+c2', 'a3+b3+c3']);
});
