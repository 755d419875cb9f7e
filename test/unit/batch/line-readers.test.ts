import { afterAll, describe, expect, it } from 'vitest';
import {
  FixedWidthItemReader,
  type FixedWidthItemReaderOptions,
} from '../../../src/batch/readers/fixed-width-item-reader.js';
import { JsonLinesItemReader } from '../../../src/batch/readers/json-lines-item-reader.js';
import { LineError } from '../../../src/batch/readers/resource-errors.js';
import { opened, restartedEverywhere, take, TemporaryFolder } from '../../support/batch-items.js';

const folder = new TemporaryFolder();
afterAll(() => folder.remove());

const shown = (items: readonly unknown[]): unknown[] =>
  items.map((item) => (item instanceof LineError ? `${item.code} ${item.lineNumber}` : item));

describe('JsonLinesItemReader', () => {
  const reader = (content: string) => () =>
    new JsonLinesItemReader<unknown>({ resource: folder.file('a.jsonl', content) });

  it('reads one value a line, and refuses only a line that is no JSON', async () => {
    const make = reader('\ufeff{"a":"x\\ny"}\r\n\n[1]\n{"a":\nnull\n"last"');
    expect(shown(await take(await opened(make())))).toEqual([
      { a: 'x\ny' },
      [1],
      'JSON_LINE_PARSE_FAILED 4',
      'JSON_LINE_PARSE_FAILED 5',
      'last',
    ]);
  });

  it('goes on after the last committed item', async () => {
    const runs = await restartedEverywhere(reader('1\n2\nx\n4\n5'));
    for (const run of runs) expect(shown(run)).toEqual([1, 2, 'JSON_LINE_PARSE_FAILED 3', 4, 5]);
  });

  it('names the path of a file that is not there', async () => {
    const missing = new JsonLinesItemReader({ resource: '/nowhere/a.jsonl' });
    await expect(opened(missing)).rejects.toMatchObject({ code: 'RESOURCE_NOT_FOUND' });
  });
});

describe('FixedWidthItemReader', () => {
  const reader =
    (content: string, options: Partial<FixedWidthItemReaderOptions<string, Record<string, string>>> = {}) =>
    () =>
      new FixedWidthItemReader({
        resource: folder.file('a.txt', content),
        columns: [
          ['id', 1, 3],
          ['name', 4, 7],
        ],
        ...options,
      });

  it('reads columns at their places, in characters', async () => {
    const content = '# id\n001Ann \r\n\n0022🎉é \n003Bob    \n';
    const items = await take(await opened(reader(content, { commentPrefix: '#' })()));
    expect(items).toEqual([
      { id: '001', name: 'Ann' },
      { id: '002', name: '2🎉é' },
      { id: '003', name: 'Bob' },
    ]);
  });

  it('keeps the spaces where it is told so', async () => {
    expect(await take(await opened(reader('  1 Ann', { trim: false })()))).toEqual([{ id: '  1', name: ' Ann' }]);
  });

  it('refuses lines that are too short or too long, unless it is not strict', async () => {
    const content = '001Ann \n002\n003Ann X\n';
    const refused = ['FLAT_FILE_PARSE_FAILED 2', 'FLAT_FILE_PARSE_FAILED 3'];
    expect(shown(await take(await opened(reader(content)())))).toEqual([{ id: '001', name: 'Ann' }, ...refused]);
    expect(await take(await opened(reader(content, { strict: false })()))).toHaveLength(3);
  });

  it('goes on after the last committed item', async () => {
    const runs = await restartedEverywhere(reader('head\n001Ann \n002\n003Bob ', { linesToSkip: 1 }));
    for (const run of runs) {
      expect(shown(run)).toEqual([{ id: '001', name: 'Ann' }, 'FLAT_FILE_PARSE_FAILED 3', { id: '003', name: 'Bob' }]);
    }
  });
});
