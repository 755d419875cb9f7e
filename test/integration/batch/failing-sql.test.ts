import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { neverRetry, retryByClass } from '../../../src/batch/chunk/retry-policy.js';
import { BatchBuilders } from '../../../src/batch/job/batch-builders.js';
import { ListItemReader } from '../../../src/batch/readers/list-item-reader.js';
import { BatchTestKit } from '../../../src/batch/testing/index.js';
import { SqlItemWriter } from '../../../src/batch/writers/sql-item-writer.js';
import { createTestDatabase, type TestDatabase } from '../../support/database.js';

let test: TestDatabase;
const b = new BatchBuilders();

beforeAll(async () => {
  test = await createTestDatabase({ migrated: false });
  await test.client.query(
    'create table good (id int primary key); create table audit (id int); create table told (id int)',
  );
});
afterAll(() => test.drop());
beforeEach(() => test.client.query('truncate good, audit, told'));

const idsOf = async (table: string): Promise<number[]> =>
  (await test.client.query<{ id: number }>(`select id from ${table} order by id`)).rows.map(({ id }) => id);

const BAD = [2, 5, 9];
const GOOD = [1, 3, 4, 6, 7, 8, 10];
const ALL = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10];

interface Case {
  count?: number;
  concurrency?: number;
  retries?: number;
  /** Whether the statement of this item fails, at its attempt of this number, counted from 1. */
  fails?: (id: number, attempt: number) => boolean;
  skips?: boolean;
}

async function runStep(given: Case) {
  const { count = 10, concurrency = 1, retries = 0, skips = true } = given;
  const { fails = (id: number) => BAD.includes(id) } = given;
  const attempts = new Map<number, number>();
  /** What listeners of processing were told, by attempt at a chunk. */
  const told: string[][] = [];
  const builder = b
    .step('load')
    .chunk(count)
    .reader(new ListItemReader(Array.from({ length: count }, (_, index) => ({ id: index + 1 }))))
    .process(async ({ id }, { tx }) => {
      const attempt = (attempts.get(id) ?? 0) + 1;
      attempts.set(id, attempt);
      await tx.query({ text: 'insert into audit values ($1)', values: [id] });
      await tx.query({ text: 'select 1 / $1::int', values: [fails(id, attempt) ? 0 : 1] });
      return { id };
    })
    .writer(new SqlItemWriter({ table: 'good' }))
    .concurrency(concurrency)
    .faultTolerant()
    .retryPolicy(retries > 0 ? retryByClass([[Error, retries]]) : neverRetry)
    .listener({
      beforeChunk: () => void told.push([]),
      beforeProcess: ({ id }) => void told.at(-1)!.push(`before ${id}`),
      afterProcess: ({ id }) => void told.at(-1)!.push(`after ${id}`),
      onProcessError: ({ id }) => void told.at(-1)!.push(`error ${id}`),
      onSkipInProcess: async ({ id }, _, { tx }) =>
        void (await tx.query({ text: 'insert into told values ($1)', values: [id] })),
    });
  if (skips) builder.skip(Error).skipLimit(1000);
  const kit = BatchTestKit.forJob(b.job('job').start(builder.build()).build(), { database: test.client });
  const { execution, steps } = await kit.launchJob();
  return { execution, step: steps[0]!, attempts, told };
}

describe('A processor whose statement fails', () => {
  it.each([{ concurrency: 1 }, { concurrency: 4 }])(
    'costs only its item, with its own rows, at concurrency $concurrency',
    async (given) => {
      const { execution, step } = await runStep(given);
      expect(execution.status).toBe('COMPLETED');
      expect(step).toMatchObject({
        readCount: 10,
        writeCount: 7,
        processSkipCount: 3,
        commitCount: 1,
        rollbackCount: 1,
      });
      expect(await idsOf('good')).toEqual(GOOD);
      expect(await idsOf('audit')).toEqual(GOOD);
      expect(await idsOf('told')).toEqual(BAD);
    },
  );

  it.each([{ concurrency: 1 }, { concurrency: 4 }])(
    'is retried until it works, at concurrency $concurrency',
    async ({ concurrency }) => {
      const fails = (id: number, attempt: number) => BAD.includes(id) && attempt <= 2;
      const { execution, step } = await runStep({ concurrency, retries: 3, fails, skips: false });
      expect(execution.status).toBe('COMPLETED');
      expect(step).toMatchObject({ readCount: 10, writeCount: 10, processSkipCount: 0, rollbackCount: 1 });
      expect(await idsOf('good')).toEqual(ALL);
      expect(await idsOf('audit')).toEqual(ALL);
    },
  );

  it('is skipped when all its retries have failed', async () => {
    const { step, attempts } = await runStep({ retries: 2 });
    expect(step).toMatchObject({ writeCount: 7, processSkipCount: 3, rollbackCount: 1 });
    expect(attempts.get(2)).toBe(1 + 3);
    expect(await idsOf('audit')).toEqual(GOOD);
    expect(await idsOf('told')).toEqual(BAD);
  });

  it('costs only its item in a chunk of more items than one transaction may have savepoints', async () => {
    const fails = (id: number) => id % 10 === 0;
    const { step, told } = await runStep({ count: 200, fails });
    expect(step).toMatchObject({ readCount: 200, writeCount: 180, processSkipCount: 20, rollbackCount: 1 });
    expect(await idsOf('audit')).toHaveLength(180);
    expect(await idsOf('told')).toHaveLength(20);
    // The first attempt has found that each item needs a savepoint. In the second one listeners are told once of each item.
    const ids = Array.from({ length: 200 }, (_, index) => index + 1);
    expect(told[1]).toEqual(ids.flatMap((id) => [`before ${id}`, `${fails(id) ? 'error' : 'after'} ${id}`]));
  });

  it('fails the step where nothing may be skipped, without another attempt', async () => {
    const { execution, step, attempts } = await runStep({ skips: false });
    expect(execution.status).toBe('FAILED');
    expect(step).toMatchObject({ readCount: 10, writeCount: 0, rollbackCount: 1 });
    expect(attempts.get(1)).toBe(1);
    expect(await idsOf('audit')).toEqual([]);
  });
});

it('A text with a NUL, which PostgreSQL stores nowhere, costs only its item', async () => {
  await test.client.query(
    'drop table if exists texts; create table texts (id int primary key, text text, list text[])',
  );
  const items = [1, 2, 3, 4, 5, 6].map((id) => ({ id, text: id === 2 ? 'a\0b' : 'a', list: [id === 5 ? '\0' : 'b'] }));
  const told: unknown[] = [];
  const step = b
    .step('load')
    .chunk(10)
    .reader(new ListItemReader(items))
    .writer(new SqlItemWriter({ table: 'texts' }))
    .faultTolerant()
    .skip(Error)
    .skipLimit(2)
    .listener({ onSkipInWrite: ({ id }, error) => void told.push([id, (error as { code?: string }).code]) })
    .build();
  const kit = BatchTestKit.forJob(b.job('nul').start(step).build(), { database: test.client });
  expect((await kit.launchStep('load')).status).toBe('COMPLETED');
  expect(await idsOf('texts')).toEqual([1, 3, 4, 6]);
  expect(told).toEqual([
    [2, '22021'],
    [5, '22021'],
  ]);
});
