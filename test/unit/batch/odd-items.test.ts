import { expect, it } from 'vitest';
import { alwaysSkip } from '../../../src/batch/chunk/skip-policy.js';
import { ListItemReader } from '../../../src/batch/readers/list-item-reader.js';
import { BatchTestKit } from '../../../src/batch/testing/index.js';
import { classifierWriter } from '../../../src/batch/writers/classifier-writer.js';
import { b, engine, listReader, table, type Tx } from './support/engine.js';

it('A skipped item with a bigint is stored with its digits', async () => {
  const step = b
    .step('load')
    .chunk(2)
    .reader(new ListItemReader([{ id: 9223372036854775807n }]))
    .writer({ write: () => Promise.reject(new Error('refused')) })
    .faultTolerant()
    .skipPolicy(alwaysSkip)
    .build();
  const { skippedItems } = await BatchTestKit.forJob(b.job('job').start(step).build()).launchJob();
  expect(skippedItems.map(({ item }) => item)).toEqual(['{"id":"9223372036854775807"}']);
});

it.each([NaN, -1])('A skip limit of %s is refused, since it would limit nothing', (limit) => {
  const step = b
    .step('load')
    .chunk(2)
    .reader(listReader(['a']))
    .writer(table().writer)
    .faultTolerant();
  expect(() => step.skipLimit(limit)).toThrow(`The skip limit of step "load" must be 0 or more, and is ${limit}`);
});

it('A classifier writer fails when a writer answers for other items than it was given', async () => {
  const writer = classifierWriter<string, Tx>({
    classify: () => 'all',
    delegates: { all: { write: async () => [{ written: true, result: undefined }] } },
  });
  const step = b
    .step('load')
    .chunk(3)
    .reader(listReader(['a', 'b', 'c']))
    .writer(writer)
    .build();
  const { status, exitStatus } = await engine([b.job('job').start(step).build()]).run();
  expect(status).toBe('FAILED');
  expect(exitStatus.description).toContain('A writer was given 3 items and answered 1 outcomes');
});
