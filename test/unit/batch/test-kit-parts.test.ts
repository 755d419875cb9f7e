import { readFileSync } from 'node:fs';
import { afterAll, describe, expect, it } from 'vitest';
import type { ItemWriter } from '../../../src/batch/chunk/item.js';
import { FlatFileItemReader } from '../../../src/batch/readers/flat-file-item-reader.js';
import { JsonLinesItemWriter } from '../../../src/batch/writers/json-lines-item-writer.js';
import {
  fakeItemContext,
  fakeJobExecution,
  fakeStepExecution,
  fakeStepScope,
  readAll,
  writeAll,
} from '../../../src/batch/testing/index.js';
import { TemporaryFolder } from '../../support/batch-items.js';

const folder = new TemporaryFolder();
afterAll(() => folder.remove());

describe('fakes', () => {
  it('of executions run, and have the parameters and contexts that they are given', () => {
    const job = fakeJobExecution({ jobName: 'import', parameters: { day: new Date(0) }, context: { total: 1 } });
    expect([job.status, job.jobName, job.parameters.get('day'), job.context.get('total')]).toEqual([
      'STARTED',
      'import',
      new Date(0),
      1,
    ]);
    const step = fakeStepExecution({ stepName: 'load', jobExecutionId: job.id, context: { next: 3 } });
    expect([step.status, step.stepName, step.context.get('next')]).toEqual(['STARTED', 'load', 3]);
  });

  it('of a scope make a late-bound reader', async () => {
    const resource = folder.file('people.csv', 'id,name\n1,Ada\n2,Bob\n');
    const scope = fakeStepScope({ parameters: { file: resource }, stepName: 'load', jobContext: { total: 2 } });
    const reader = new FlatFileItemReader({ resource: scope.param('file'), columns: true });
    expect(await readAll(reader, { scope })).toEqual([
      { id: '1', name: 'Ada' },
      { id: '2', name: 'Bob' },
    ]);
    expect([scope.step.stepName, scope.job.context.get('total')]).toEqual(['load', 2]);
    expect(() => scope.param('none')).toThrow('needs the parameter "none"');
  });

  it('of an item context have the transaction that they are given', () => {
    const tx = { query: () => undefined };
    const context = fakeItemContext(tx, { commitCount: 2, retries: 1 });
    expect([context.tx, context.execution.commitCount, context.retries]).toEqual([tx, 2, 1]);
  });
});

describe('readAll', () => {
  it('goes on with the same scope where it has stopped, as a restart does', async () => {
    const resource = folder.file('numbers.csv', 'n\n1\n2\n3\n4\n');
    const make = () => new FlatFileItemReader({ resource, columns: true, map: ({ n }) => Number(n) });
    const scope = fakeStepScope();
    expect(await readAll(make(), { scope, limit: 3 })).toEqual([1, 2, 3]);
    expect(await readAll(make(), { scope })).toEqual([4]);
  });

  it('closes the reader, and throws what it throws', async () => {
    let closed = false;
    const failing = {
      read: () => {
        throw new RangeError('bad line');
      },
      close: () => void (closed = true),
    };
    await expect(readAll(failing)).rejects.toThrow('bad line');
    expect(closed).toBe(true);
  });
});

describe('writeAll', () => {
  it('writes in chunks, and ends the writer as a complete step does', async () => {
    const resource = folder.file('out.jsonl');
    const writer = new JsonLinesItemWriter<number>({ resource, footer: ({ commitCount }) => `chunks: ${commitCount}` });
    const outcomes = await writeAll(writer, [1, 2, 3], { chunkSize: 2 });
    expect(readFileSync(resource, 'utf8')).toBe('1\n2\n3\nchunks: 2\n');
    expect(outcomes.map(({ written }) => written)).toEqual([true, true, true]);
  });

  it('answers what a writer says of its items, in the transaction that it is given', async () => {
    const error = new Error('odd');
    const writer: ItemWriter<number, string, { name: string }> = {
      write: async (items, { tx }) =>
        items.map((n) => (n % 2 === 0 ? { written: true, result: `${tx.name} ${n}` } : { written: false, error })),
    };
    expect(await writeAll(writer, [1, 2], { tx: { name: 'tx' } })).toEqual([
      { written: false, error },
      { written: true, result: 'tx 2' },
    ]);
  });
});
