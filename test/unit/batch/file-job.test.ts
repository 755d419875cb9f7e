import { readFileSync } from 'node:fs';
import { afterAll, describe, expect, it } from 'vitest';
import type { ItemWriter } from '../../../src/batch/chunk/item.js';
import { BatchBuilders } from '../../../src/batch/job/batch-builders.js';
import { validatingProcessor } from '../../../src/batch/processors/validating-processor.js';
import { FlatFileItemReader } from '../../../src/batch/readers/flat-file-item-reader.js';
import { FlatFileParseError } from '../../../src/batch/readers/resource-errors.js';
import type { MemoryTransaction } from '../../../src/batch/repository/memory-transaction-manager.js';
import type { Step } from '../../../src/batch/step/step.js';
import { BatchTestKit } from '../../../src/batch/testing/index.js';
import { compositeWriter } from '../../../src/batch/writers/composite-writer.js';
import { FlatFileItemWriter } from '../../../src/batch/writers/flat-file-item-writer.js';
import { z } from 'zod';
import { TemporaryFolder } from '../../support/batch-items.js';

const folder = new TemporaryFolder();
afterAll(() => folder.remove());

type Tx = MemoryTransaction;
class BadItemError extends Error {}

const Person = z.object({ id: z.coerce.number().int(), name: z.string() });
type Person = z.infer<typeof Person>;

const { job, step } = {
  job: (name: string) => new BatchBuilders<Tx>().job(name),
  step: (name: string) => new BatchBuilders<Tx>().step(name),
};

const kitOf = (load: Step<Tx>) => BatchTestKit.forJob(job('import').start(load).build());

const csv = (rows: number, bad: readonly number[] = []): string =>
  `id,name\n${Array.from({ length: rows }, (_, at) => `${at + 1}${bad.includes(at + 1) ? '' : `,"name\n${at + 1}"`}\n`).join('')}`;

const ids = (resource: string): number[] =>
  readFileSync(resource, 'utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map(Number);

describe('a job from a file to a file', () => {
  it('skips a bad line, fails, and writes each good row once when it is restarted', async () => {
    const [resource, output] = [folder.file('in.csv', csv(25, [4])), folder.file('out.csv')];
    let broken = true;
    const load = step('load')
      .chunk(5)
      .reader(() => new FlatFileItemReader({ name: 'people', resource, columns: true }))
      .processor(validatingProcessor(Person))
      .writer(() =>
        compositeWriter<Person, Tx>(new FlatFileItemWriter({ resource: output, columns: ['id'] }), {
          write: async (items) => {
            if (broken && items.some(({ id }) => id === 14)) throw new Error('The disk is full');
          },
        }),
      )
      .faultTolerant()
      .skip(FlatFileParseError)
      .skipLimit(1)
      .build();
    const kit = kitOf(load);

    const failed = await kit.launchJob();
    expect(failed.execution.status).toBe('FAILED');
    expect(failed.steps[0]).toMatchObject({ readSkipCount: 1, writeCount: 10, commitCount: 2 });
    // The chunk that failed has left its lines.
    expect(ids(output)).toHaveLength(15);

    broken = false;
    const completed = await kit.restart(failed.execution);
    expect(completed.execution.status).toBe('COMPLETED');
    expect(completed.steps[0]).toMatchObject({ readSkipCount: 0, readCount: 14, writeCount: 14 });
    const good = Array.from({ length: 25 }, (_, at) => at + 1).filter((id) => id !== 4);
    expect(ids(output)).toEqual(good);
  });

  it.each([
    { what: 'every fifth', isBad: (id: number) => id % 5 === 0 },
    { what: 'nearly half, which takes more savepoints than a transaction has', isBad: (id: number) => id % 2 === 0 },
  ])('writes each good row once where another writer refuses items: $what', async ({ isBad }) => {
    const [resource, output] = [folder.file('in.csv', csv(400)), folder.file('out.csv')];
    const refusing: ItemWriter<Person, void, Tx> = {
      write: async (items) => {
        if (items.some(({ id }) => isBad(id))) throw new BadItemError();
      },
    };
    const load = step('load')
      .chunk(200)
      .reader(() => new FlatFileItemReader({ resource, columns: true }))
      .processor(validatingProcessor(Person))
      .writer(() =>
        compositeWriter<Person, Tx>(new FlatFileItemWriter({ resource: output, columns: ['id'] }), refusing),
      )
      .faultTolerant()
      .skip(BadItemError)
      .skipLimit(400)
      .build();
    expect((await kitOf(load).launchStep('load')).status).toBe('COMPLETED');
    expect(ids(output)).toEqual(Array.from({ length: 400 }, (_, at) => at + 1).filter((id) => !isBad(id)));
  });
});
