import { createWriteStream, truncateSync } from 'node:fs';
import { once } from 'node:events';
import { afterAll, describe, expect, it } from 'vitest';
import {
  FlatFileItemReader,
  type FlatFileItemReaderOptions,
} from '../../../src/batch/readers/flat-file-item-reader.js';
import { FlatFileParseError } from '../../../src/batch/readers/resource-errors.js';
import { opened, restartedEverywhere, savedBy, take, TemporaryFolder } from '../../support/batch-items.js';

const folder = new TemporaryFolder();
afterAll(() => folder.remove());

type Options = Partial<FlatFileItemReaderOptions<string, Record<string, string>>>;
let files = 0;

const readerOf = (content: string | Uint8Array, options: Options = {}) => {
  files += 1;
  const resource = folder.file(`${files}.csv`, content);
  return () => new FlatFileItemReader({ resource, columns: ['a', 'b'], ...options });
};

/** Items as texts, errors as their lines. */
const shown = (items: readonly (Record<string, string> | Error)[]): string[] =>
  items.map((item) => {
    if (item instanceof FlatFileParseError) return `line ${item.lineNumber}`;
    return item instanceof Error ? item.message : Object.values(item).join('|');
  });

const read = async (content: string | Uint8Array, options?: Options): Promise<string[]> => {
  const reader = await opened(readerOf(content, options)());
  const items = shown(await take(reader));
  await reader.close();
  return items;
};

describe('FlatFileItemReader', () => {
  it.each<[string, string | Uint8Array, string[], Options?]>([
    ['lines', '1,x\n2,y\n', ['1|x', '2|y']],
    ['an empty file', '', []],
    ['a last line without its end', '1,x\n2,y', ['1|x', '2|y']],
    ['CRLF', '1,x\r\n2,y\r\n', ['1|x', '2|y']],
    ['empty lines', '\n1,x\n\r\n\n2,y\n\n', ['1|x', '2|y']],
    ['a byte order mark', '\ufeff1,x\n2,y\n', ['1|x', '2|y']],
    ['a byte order mark before a quote', '\ufeff"1",x\n', ['1|x']],
    ['quotes', '"1,5","say ""yes"""\n', ['1,5|say "yes"']],
    ['newlines in quotes, as they are', '1,"x\ny\r\n\nz"\n2,y\n', ['1|x\ny\r\n\nz', '2|y']],
    ['newlines in quotes in the last line', '1,"x\ny"', ['1|x\ny']],
    ['a comment, but not within quotes', '#no,1\n1,"x\n#y"\n', ['1|x\n#y'], { commentPrefix: '#' }],
    ['lines to skip', 'made "by\nhand\n1,x\n', ['1|x'], { linesToSkip: 2 }],
    ['another delimiter and quote', "1;'x;y'\n", ['1|x;y'], { delimiter: ';', quote: "'" }],
    ['no quotes', '1,"x\n2,y\n', ['1|"x', '2|y'], { quote: null }],
    ['another encoding', Buffer.from('1,\xe9\n', 'latin1'), ['1|é'], { encoding: 'windows-1252' }],
    ['other letters', '1,日本🎉\n', ['1|日本🎉']],
    ['other counts of values', '1\n2,y,z\n', ['1|', '2|y'], { strict: false }],
  ])('reads %s', async (_, content, expected, options) => {
    expect(await read(content, options)).toEqual(expected);
  });

  it.each<[string, string | Uint8Array, string[]]>([
    ['with too few values', '1,x\n2\n3,z\n', ['1|x', 'line 2', '3|z']],
    ['with too many values', '1,x\n2,y,y\n3,z\n', ['1|x', 'line 2', '3|z']],
    ['with a quote within a value', '1,x\n2,5" pipe\n3,z\n', ['1|x', 'line 2', '3|z']],
    ['with a quote that another one seems to close', '1,x\n2,"y\n3,"z"\n4,w\n', ['1|x', 'line 2', '3|z', '4|w']],
    [
      'with a quote that the quote of the next one seems to close',
      '1,x\n2,"y\n3,"z\nz"\n4,w\n',
      ['1|x', 'line 2', '3|z\nz', '4|w'],
    ],
    ['with a quote that nothing closes', '1,x\n2,"y\n3,z\n4,w\n', ['1|x', 'line 2', '3|z', '4|w']],
    ['with text after a quote', '1,x\n2,"y"y\n3,z\n', ['1|x', 'line 2', '3|z']],
    ['that is no UTF-8', Buffer.from('1,x\n2,\xe9\n3,z\n', 'latin1'), ['1|x', 'line 2', '3|z']],
    ['with spaces only', '1,x\n  \n3,z\n', ['1|x', 'line 2', '3|z']],
  ])('refuses only a line %s', async (_, content, expected) => {
    expect(await read(content)).toEqual(expected);
  });

  it('names the file, the line and the beginning of a broken line', async () => {
    const reader = await opened(readerOf(`1,x\n${'y'.repeat(500)}\n`)());
    const [, error] = await take(reader);
    await reader.close();
    expect(error).toMatchObject({ code: 'FLAT_FILE_PARSE_FAILED', lineNumber: 2, input: 'y'.repeat(200) });
    expect((error as Error).message).toMatch(/^Line 2 of ".*csv" has 1 value instead of 2: "y{200}…"$/);
  });

  it('counts the lines within quotes', async () => {
    expect(await read('1,"x\ny"\n2\n')).toEqual(['1|x\ny', 'line 3']);
  });

  it('takes what the map throws for an error of the line', async () => {
    const map = (row: Record<string, string>, line: number) => {
      if (row.a === 'bad') throw new RangeError('no number');
      return { ...row, line: String(line) };
    };
    expect(await read('1,x\nbad,y\n3,z\n', { map })).toEqual(['1|x|1', 'line 2', '3|z|3']);
  });

  it('reads lines that are longer than a block, and refuses those beyond the limit', async () => {
    const long = 'x'.repeat(300_000);
    expect(await read(`1,${long}\n2,"${long}\n${long}"\n3,z\n`)).toEqual([`1|${long}`, `2|${long}\n${long}`, '3|z']);
    const options = { maxItemBytes: 200_000 };
    expect(await read(`1,${long}\n2,"y\n${long}"\n3,z\n`, options)).toEqual(['line 1', 'line 2', 'line 3', '3|z']);
    expect(await read(`3,z\n4,${long}`, options)).toEqual(['3|z', 'line 2']);
  });

  it('reads records and characters over the borders of its blocks as they are', async () => {
    const rows = Array.from({ length: 20_000 }, (_, at) => `${at}|${'日"\n'.repeat(at % 5)}`);
    const content = rows.map((row) => row.replace('|', ',"').replaceAll(/日"/g, '日""').concat('"\n')).join('');
    expect(await read(content)).toEqual(rows);
  });

  describe('with a header', () => {
    it('takes the names of the columns from it', async () => {
      const reader = await opened(readerOf('x\n"the id",__proto__\n1,z\n', { columns: true, linesToSkip: 1 })());
      const [row] = await take(reader);
      await reader.close();
      expect(Object.entries(row!)).toEqual([
        ['the id', '1'],
        ['__proto__', 'z'],
      ]);
    });

    it.each(['a,a\n1,2\n', 'a,"b"b\n1,2\n'])('fails to open %j, whatever is skipped', async (content) => {
      const reader = readerOf(content, { columns: true })();
      await expect(opened(reader)).rejects.toMatchObject({ code: 'FLAT_FILE_HEADER_INVALID' });
      await reader.close();
    });
  });

  describe('after a restart', () => {
    it.each<[string, string, Options?]>([
      ['quotes, CRLF, a byte order mark and a broken line', '\ufeff1,x\r\n2,"x\r\ny"\r\n\r\n3\r\n"4",é\r\n5,"z\n"'],
      ['a header', 'a,b\n1,x\n2\n3,z\n', { columns: true }],
      ['lines to skip', 'a\nb\n1,x\n2,y', { linesToSkip: 2 }],
      ['quotes that nothing closes', '1,x\n2,"y\n3,z\n4,w\n'],
    ])('goes on after the last committed item of a file with %s', async (_, content, options) => {
      const make = readerOf(content, options);
      const runs = await restartedEverywhere<Record<string, string>>(make);
      for (const run of runs) expect(shown(run)).toEqual(shown(runs.at(-1)!));
      expect(runs.length).toBeGreaterThan(2);
    });

    it('does not read what comes before', async () => {
      const make = readerOf('1,x\n2,y\n3,z\n');
      const first = await opened(make());
      await take(first, 2);
      const saved = await savedBy(first);
      await first.close();
      expect(saved).toEqual({ offset: 8, line: 2 });
      const second = await opened(make(), { offset: 8, line: 41 });
      expect(shown(await take(second))).toEqual(['3|z']);
      expect(await savedBy(second)).toEqual({ offset: 12, line: 42 });
      await second.close();
    });

    it('refuses a file that is shorter than before', async () => {
      const make = readerOf('1,x\n2,y\n');
      const reader = make();
      truncateSync(folder.file(`${files}.csv`), 3);
      await expect(opened(reader, { offset: 8, line: 2 })).rejects.toMatchObject({ code: 'RESOURCE_CHANGED' });
    });
  });

  it('names the path of a file that is not there', async () => {
    const resource = folder.file('missing.csv');
    await expect(opened(new FlatFileItemReader({ resource, columns: ['a'] }))).rejects.toMatchObject({
      code: 'RESOURCE_NOT_FOUND',
      message: expect.stringContaining(resource),
    });
    await expect(opened(new FlatFileItemReader({ resource: folder.path, columns: ['a'] }))).rejects.toMatchObject({
      code: 'RESOURCE_NOT_FOUND',
    });
  });

  it('refuses encodings that it cannot split into lines, and unknown ones', () => {
    for (const encoding of ['utf-16le', 'klingon']) {
      expect(() => new FlatFileItemReader({ resource: 'x', columns: ['a'], encoding })).toThrow(encoding);
    }
  });

  it('holds a few blocks of a file of 40 000 lines', async () => {
    const resource = folder.file('large.csv');
    const out = createWriteStream(resource);
    for (let line = 0; line < 40_000; line += 1) {
      if (!out.write(`${line},"${'x'.repeat(200)}"\n`)) await once(out, 'drain');
    }
    out.end();
    await once(out, 'close');
    const reader = await opened(new FlatFileItemReader({ resource, columns: ['a', 'b'] }));
    let [count, most] = [0, 0];
    for (let items = await take(reader, 1000); items.length > 0; items = await take(reader, 1000)) {
      count += items.length;
      most = Math.max(most, (reader as unknown as { results: unknown[] }).results.length);
    }
    await reader.close();
    expect(count).toBe(40_000);
    // A block has 64 KiB.
    expect(most).toBeLessThan(400);
  });
});
