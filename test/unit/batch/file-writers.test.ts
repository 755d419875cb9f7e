import { readFileSync } from 'node:fs';
import { afterAll, describe, expect, it } from 'vitest';
import type { ItemWriter } from '../../../src/batch/chunk/item.js';
import { StepExecution } from '../../../src/batch/model/step-execution.js';
import { FlatFileItemReader } from '../../../src/batch/readers/flat-file-item-reader.js';
import { classifierWriter } from '../../../src/batch/writers/classifier-writer.js';
import { compositeWriter } from '../../../src/batch/writers/composite-writer.js';
import { FlatFileItemWriter } from '../../../src/batch/writers/flat-file-item-writer.js';
import { JsonLinesItemWriter } from '../../../src/batch/writers/json-lines-item-writer.js';
import { fakeItemContext } from '../../../src/batch/testing/index.js';
import { opened, savedBy, take, TemporaryFolder } from '../../support/batch-items.js';

const folder = new TemporaryFolder();
afterAll(() => folder.remove());

const content = (resource: string): string => readFileSync(resource, 'utf8');
const chunk = (commitCount: number, retries = 0) => fakeItemContext<unknown>(undefined, { commitCount, retries });

describe('JsonLinesItemWriter', () => {
  const resource = folder.file('out.jsonl');
  const make = () => new JsonLinesItemWriter<unknown>({ resource });

  it('cuts off after a restart what was not committed', async () => {
    const first = await opened(make());
    await first.write([{ a: 'é\n' }], chunk(0));
    const saved = await savedBy(first);
    await first.write([2, 3], chunk(1));
    await first.close();
    expect(content(resource)).toBe('{"a":"é\\n"}\n2\n3\n');
    const second = await opened(make(), saved);
    expect(content(resource)).toBe('{"a":"é\\n"}\n');
    await second.write([4], chunk(0));
    await savedBy(second);
    await second.close();
    expect(content(resource)).toBe('{"a":"é\\n"}\n4\n');
  });

  it('replaces what is there when it starts for the first time', async () => {
    const first = await opened(make());
    await first.write([1, 2], chunk(0));
    await first.close();
    await (await opened(make())).close();
    expect(content(resource)).toBe('');
  });

  it('writes a chunk once that is tried again, whether its commit or something before failed', async () => {
    const writer = await opened(make());
    await writer.write([1], chunk(0));
    await savedBy(writer);
    // The first attempt at this chunk has not come to the writer.
    await writer.write([22222], chunk(1, 1));
    await savedBy(writer);
    await writer.write([2], chunk(1, 2));
    await writer.write([3], chunk(1, 2));
    expect(await savedBy(writer)).toEqual({ position: 6 });
    await writer.close();
    expect(content(resource)).toBe('1\n2\n3\n');
  });

  it('writes nothing of a part of a chunk that is undone', async () => {
    const writer = await opened(make());
    const undo: (() => void)[] = [];
    await writer.write([1], chunk(0));
    await writer.write([2, 3], { ...chunk(0), onUndo: (act) => undo.push(act) });
    undo.forEach((act) => act());
    await writer.write([4], chunk(0));
    await savedBy(writer);
    await writer.close();
    expect(content(resource)).toBe('1\n4\n');
  });

  it('writes nothing of items of which one is no JSON', async () => {
    const writer = await opened(make());
    await expect(writer.write([1, undefined], chunk(0))).rejects.toThrow('undefined cannot be written as JSON');
    await savedBy(writer);
    await writer.close();
    expect(content(resource)).toBe('');
  });

  it('refuses to go on with a file that has less than was committed', async () => {
    const writer = make();
    await expect(opened(writer, { position: 1000 })).rejects.toMatchObject({ code: 'RESOURCE_CHANGED' });
    await writer.close();
    const missing = new JsonLinesItemWriter({ resource: folder.file('missing.jsonl') });
    await expect(opened(missing, { position: 1 })).rejects.toMatchObject({ code: 'RESOURCE_NOT_FOUND' });
  });
});

describe('FlatFileItemWriter', () => {
  const resource = folder.file('out.csv');

  it('writes what FlatFileItemReader reads', async () => {
    const rows = [
      { a: 'x,y', b: '"quoted"' },
      { a: 'new\nline', b: 'return\r\nnew' },
      { a: ' ', b: '日本🎉' },
      { a: '', b: '\r' },
    ];
    const columns = ['a', 'b'];
    const writer = await opened(new FlatFileItemWriter({ resource, columns, namesAsHeader: true }));
    await writer.write(rows, chunk(0));
    await writer.close();
    const reader = await opened(new FlatFileItemReader({ resource, columns: true }));
    expect(await take(reader)).toEqual(rows);
    await reader.close();
  });

  it('writes values of other types as texts', async () => {
    const writer = await opened(new FlatFileItemWriter({ resource, columns: ['v', 'w'], delimiter: ';' }));
    const values = [1.5, 12n, true, false, null, undefined, new Date(0), { a: 1 }];
    await writer.write(
      values.map((v) => ({ v, w: 'w' })),
      chunk(0),
    );
    await writer.close();
    expect(content(resource).split('\n')).toEqual([
      '1.5;w',
      '12;w',
      'true;w',
      'false;w',
      ';w',
      ';w',
      '1970-01-01T00:00:00.000Z;w',
      '"{""a"":1}";w',
      '',
    ]);
  });

  it('writes no empty line, which a reader would leave out', async () => {
    const writer = await opened(new FlatFileItemWriter({ resource, columns: ['v'] }));
    await writer.write([{ v: '' }, { v: null }, { v: 'x' }], chunk(0));
    await writer.close();
    const reader = await opened(new FlatFileItemReader({ resource, columns: ['v'] }));
    expect(await take(reader)).toEqual([{ v: '' }, { v: '' }, { v: 'x' }]);
    await reader.close();
  });

  it('writes the header once, and the footer when the step is complete', async () => {
    const make = () =>
      new FlatFileItemWriter<{ v: number }>({
        resource,
        columns: ['v'],
        lineEnd: '\r\n',
        header: async () => 'head',
        footer: ({ writeCount }) => `${writeCount} rows`,
      });
    const execution = new StepExecution('1', '1', 'step');
    const first = await opened(make());
    await first.write([{ v: 1 }], chunk(0));
    const saved = await savedBy(first);
    await first.write([{ v: 2 }], chunk(1));
    await first.close();
    execution.status = 'FAILED';
    await first.afterStep(execution);
    const second = await opened(make(), saved);
    await second.write([{ v: 3 }], chunk(0));
    await savedBy(second);
    await second.close();
    execution.status = 'COMPLETED';
    execution.writeCount = 2;
    await second.afterStep(execution);
    expect(content(resource)).toBe('head\r\n1\r\n3\r\n2 rows\r\n');
  });
});

describe('compositeWriter', () => {
  it('gives all items to each writer in order, and keeps their positions apart', async () => {
    const [one, two] = [folder.file('one.jsonl'), folder.file('two.jsonl')];
    const make = () =>
      compositeWriter<number>(
        new JsonLinesItemWriter({ resource: one }),
        new JsonLinesItemWriter({ resource: two, map: (item) => item * 100 }),
      );
    const first = await opened(make());
    await first.write([1, 2], chunk(0));
    const saved = await savedBy(first);
    expect(saved).toEqual({ '0.position': 4, '1.position': 8 });
    await first.write([3], chunk(1));
    await first.close?.();
    await (await opened(make(), saved)).close?.();
    expect([content(one), content(two)]).toEqual(['1\n2\n', '100\n200\n']);
  });

  it('takes no writer that reports outcomes', () => {
    const reporting: ItemWriter<number> = { reportsOutcomes: true, write: async () => undefined };
    expect(() => compositeWriter(reporting)).toThrow('throw for a bad item');
    expect(() => classifierWriter({ classify: () => 'a', delegates: { a: reporting } })).toThrow(
      'throw for a bad item',
    );
  });
});

describe('classifierWriter', () => {
  it('gives each writer its items of a chunk at once, in their order', async () => {
    const calls: string[] = [];
    const part = (name: string) => ({
      write: async (items: readonly number[]) => void calls.push(`${name} ${items.join()}`),
    });
    const writer = classifierWriter<number>({
      classify: (item) => (item % 2 === 0 ? 'even' : 'odd'),
      delegates: { even: part('even') },
      otherwise: part('otherwise'),
    });
    await writer.write([1, 2, 3, 4], chunk(0));
    expect(calls).toEqual(['otherwise 1,3', 'even 2,4']);
  });
});
