import { randomBytes } from 'node:crypto';
import { PassThrough, Readable } from 'node:stream';
import { buffer, text } from 'node:stream/consumers';
import { describe, expect, it } from 'vitest';
import type { FileStore } from '../../../../src/parts/files/file-store.js';
import { partFailure } from '../../../support/parts/part-failure.js';

/** What every store of files promises. `open` gives the store of the test. */
export function fileStoreContract(open: () => FileStore): void {
  it('gives back what it has stored, in folders that did not exist', async () => {
    await open().put('round/2026/größe 1.csv', Buffer.from('id\n1\n'));
    expect(await text(await open().get('round/2026/größe 1.csv'))).toBe('id\n1\n');
  });

  it('stores a stream of 20 MB', async () => {
    const content = randomBytes(20_000_000);
    await open().put('large/stream.bin', Readable.from(slices(content, 60_000), { objectMode: false }));
    expect((await buffer(await open().get('large/stream.bin'))).equals(content)).toBe(true);
    expect((await open().list('large')).map(({ bytes }) => bytes)).toEqual([20_000_000]);
  });

  it('stores an empty file', async () => {
    await open().put('empty/none.txt', Buffer.alloc(0));
    expect(await text(await open().get('empty/none.txt'))).toBe('');
  });

  it('replaces a file', async () => {
    await open().put('replaced/a.txt', Buffer.from('a longer text'));
    await open().put('replaced/a.txt', Buffer.from('new'));
    expect(await text(await open().get('replaced/a.txt'))).toBe('new');
    expect(await open().list('replaced')).toHaveLength(1);
  });

  it('lists the files of a folder and of those below', async () => {
    for (const path of ['listed/b.txt', 'listed/a/1.txt', 'listed-not/c.txt'])
      await open().put(path, Buffer.from(path));
    const files = await open().list('listed/');
    expect(files.map(({ path, bytes }) => [path, bytes])).toEqual([
      ['listed/a/1.txt', 14],
      ['listed/b.txt', 12],
    ]);
    expect((await open().list()).map(({ path }) => path)).toEqual(expect.arrayContaining(['listed-not/c.txt']));
    expect(await open().list('nowhere')).toEqual([]);
  });

  it('removes a file, also one that is not there', async () => {
    await open().put('removed/a.txt', Buffer.from('a'));
    await open().remove('removed/a.txt');
    await open().remove('removed/a.txt');
    await open().remove('nowhere/a.txt');
    expect(await open().list('removed')).toEqual([]);
  });

  it('says that there is no such file', async () => {
    for (const path of ['nowhere/a.txt', 'a.txt']) {
      expect(await partFailure(open().get(path))).toMatchObject({ code: 'FILE_NOT_FOUND', retryable: false });
    }
  });

  it.each(['at once', 'in the middle'])(
    'stores nothing of a stream that fails %s, and keeps the file',
    async (when) => {
      await open().put('failing/a.txt', Buffer.from('old'));
      const source = new PassThrough();
      source.write(randomBytes(100_000));
      const failed = partFailure(open().put('failing/a.txt', source));
      if (when === 'in the middle') await new Promise((resolve) => source.once('drain', resolve));
      source.destroy(new Error('the disk is broken'));
      expect(await failed).toMatchObject({ code: 'FILES_SOURCE_FAILED', retryable: true });
      expect((await failed).message).toContain('the disk is broken');
      expect(await text(await open().get('failing/a.txt'))).toBe('old');
      expect((await open().list('failing')).map(({ path }) => path)).toEqual(['failing/a.txt']);
    },
  );

  it('ends when its caller gives up, and stores nothing', async () => {
    const source = new PassThrough();
    source.write(randomBytes(100_000));
    const caller = new AbortController();
    const failed = partFailure(open().put('given-up/a.txt', source, caller.signal));
    // The stream never ends; it has begun to flow when its buffer is empty.
    await new Promise((resolve) => source.once('drain', resolve));
    caller.abort();
    expect(await failed).toMatchObject({ code: 'ABORTED', retryable: true });
    expect(await open().list('given-up')).toEqual([]);
    source.destroy();
    expect(await partFailure(open().get('given-up/a.txt', AbortSignal.abort()))).toMatchObject({ code: 'ABORTED' });
  });

  describe.each([
    '../a',
    'a/../../b',
    '/etc/passwd',
    'a//b',
    '',
    '.',
    '..',
    'a\\b',
    'a\nb',
    'a\0b',
    'a\r\nDELE b',
    ' a',
    'a /b',
    'x'.repeat(1001),
  ])('the path %j', (path) => {
    it('is refused', async () => {
      const refused = { code: 'FILE_PATH_INVALID', retryable: false };
      expect(await partFailure(open().put(path, Buffer.from('x')))).toMatchObject(refused);
      expect(await partFailure(open().get(path))).toMatchObject(refused);
      expect(await partFailure(open().remove(path))).toMatchObject(refused);
      if (path !== '') expect(await partFailure(open().list(`${path}/`))).toMatchObject(refused);
    });
  });
}

function* slices(content: Buffer, bytes: number): Generator<Buffer> {
  for (let at = 0; at < content.length; at += bytes) yield content.subarray(at, at + bytes);
}
