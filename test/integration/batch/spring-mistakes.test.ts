import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { ItemWriter } from '../../../src/batch/chunk/item.js';
import { BatchBuilders } from '../../../src/batch/job/batch-builders.js';
import type { ChunkStepBuilder } from '../../../src/batch/step/step-builder.js';
import { JobParameters } from '../../../src/batch/model/job-parameters.js';
import { ListItemReader } from '../../../src/batch/readers/list-item-reader.js';
import { migrateBatchSchema } from '../../../src/batch/repository/schema.js';
import { PoolDatabase } from '../../../src/batch/sql/pool-database.js';
import { BatchTestKit } from '../../../src/batch/testing/index.js';
import type { SqlClient } from '../../../src/interfaces/sql.js';
import { createTestDatabase, type TestDatabase } from '../../support/database.js';

const hasCode = (code: string) => (error: unknown) => (error as { code?: string }).code === code;
const REFUSED = hasCode('23514');
const itemsOf = (count: number): number[] => Array.from({ length: count }, (_, index) => index + 1);

/** Each of them was seen in Spring Batch 6. */
describe('mistakes of Spring Batch that are not made here', () => {
  let test: TestDatabase;
  const b = new BatchBuilders();
  beforeAll(async () => {
    test = await createTestDatabase({ migrated: false });
    await migrateBatchSchema(new PoolDatabase(test.client));
    await test.client.query('create table items (n int not null check (n % 1000 <> 0)); create table told (n int)');
  });
  afterAll(() => test?.drop());
  beforeEach(async () => void (await test.client.query('truncate items, told, batch.job_instances cascade')));

  const insert: ItemWriter<number, void, SqlClient> = {
    write: async (numbers, { tx }) => {
      await tx.query({ text: 'insert into items select unnest($1::int[])', values: [numbers] });
    },
  };
  const column = async (table: string): Promise<number[]> =>
    (await test.client.query<{ n: number }>(`select n from ${table} order by n`)).rows.map(({ n }) => n);

  /** Runs a step with these numbers as the only one of a job, in a process of its own as far as the repository can tell. */
  async function run(
    count: number,
    chunkSize: number,
    define: (step: ChunkStepBuilder<number, number, SqlClient>) => ChunkStepBuilder<number, number, SqlClient>,
  ) {
    const reader = new ListItemReader(itemsOf(count));
    const step = define(b.step('load').chunk(chunkSize).reader(reader).faultTolerant()).build();
    const kit = BatchTestKit.forJob(b.job('job').start(step).build(), { database: test.client });
    const { execution, steps } = await kit.launchJob({}, { unique: false });
    return { id: execution.id, status: execution.status, step: steps[0]! };
  }

  it('1. a restart in the middle of a scan loses no item', async () => {
    let calls = 0;
    const breaking: typeof insert = {
      write: (numbers, context) => {
        calls += 1;
        if (calls === 4) throw new Error('broken in the middle of a scan');
        return insert.write(numbers, context);
      },
    };
    const first = await run(1500, 1500, (step) => step.writer(breaking).skip(REFUSED));
    expect([first.status, await column('items')]).toEqual(['FAILED', []]);
    const second = await run(1500, 1500, (step) => step.writer(insert).skip(REFUSED));
    expect([second.status, second.step.writeSkipCount]).toEqual(['COMPLETED', 1]);
    expect(await column('items')).toEqual(itemsOf(1500).filter((n) => n !== 1000));
  });

  it('2. a write is tried again in a transaction that is not aborted', async () => {
    const codes: unknown[] = [];
    let calls = 0;
    const fails: typeof insert = {
      write: async (numbers, context) => {
        calls += 1;
        try {
          await insert.write(numbers, context);
          if (calls === 1) await context.tx.query({ text: 'select 1 / 0' });
        } catch (error) {
          codes.push((error as { code: string }).code);
          throw error;
        }
      },
    };
    const { status, step } = await run(3, 3, (each) => each.writer(fails).retry(hasCode('22012')).skip(REFUSED));
    expect({ status, codes, calls }).toEqual({ status: 'COMPLETED', codes: ['22012'], calls: 2 });
    expect([step.rollbackCount, await column('items')]).toEqual([1, [1, 2, 3]]);
  });

  it('3. what a skip listener writes stays, once for each item', async () => {
    let commits = 0;
    const { status } = await run(3000, 500, (step) =>
      step
        .writer(insert)
        .retry(hasCode('40001'))
        .skip(REFUSED)
        .listener({
          onSkipInWrite: async (n, _, { tx }) => {
            await tx.query({ text: 'insert into told values ($1::int)', values: [n] });
            // The first transaction that has told of an item is undone.
            commits += 1;
            if (commits === 1) throw Object.assign(new Error('could not serialize access'), { code: '40001' });
          },
        }),
    );
    expect([status, await column('told')]).toEqual(['COMPLETED', [1000, 2000, 3000]]);
    expect(commits).toBe(4);
  });

  it('4. counters tell what was committed, also when the step fails after a scan', async () => {
    const { status, step } = await run(2000, 500, (each) => each.writer(insert).skip(REFUSED).skipLimit(1));
    expect(status).toBe('FAILED');
    const rows = await column('items');
    expect(rows).toHaveLength(1499);
    expect(step).toMatchObject({ writeCount: rows.length, writeSkipCount: 1, commitCount: 3, rollbackCount: 1 });
  });

  it('5. one bad row in a chunk of 1000 costs about 2·log2 calls of the writer', async () => {
    const callsBy = async (scan: 'halves' | 'item'): Promise<number> => {
      let calls = 0;
      const counting: typeof insert = {
        write: (numbers, context) => ((calls += 1), insert.write(numbers, context)),
      };
      const { status, step } = await run(2000, 1000, (each) => each.writer(counting).skip(REFUSED).scan(scan));
      expect([status, step.writeSkipCount]).toEqual(['COMPLETED', 2]);
      await test.client.query('truncate items, batch.job_instances cascade');
      return calls / 2;
    };
    // The whole, and two halves at each of ten levels.
    expect(await callsBy('halves')).toBeLessThanOrEqual(1 + 2 * 10);
    // Those beyond the released savepoints are called twice, the first time to be undone.
    expect(await callsBy('item')).toBeGreaterThan(1000);
  });

  it('6. executions are taken over and deleted without any tool', async () => {
    const [waiting, ended] = [b.step('wait').tasklet(() => undefined), await run(3, 3, (step) => step.writer(insert))];
    const { operator, repository } = BatchTestKit.forJob(b.job('other').start(waiting.build()).build(), {
      database: test.client,
    });
    const { id } = await repository.createExecution({
      ...{ jobName: 'other', parameters: new JobParameters(), recoveries: 0, owner: 'gone', leaseMs: -1 },
      decide: () => ({ context: {}, restartAt: undefined }),
    });
    await operator.recover();
    expect(await operator.find(id)).toMatchObject({ status: 'FAILED', interrupted: true });
    const [latest] = await repository.findExecutions({ jobName: 'other', limit: 1 });
    expect((await operator.awaitEnd(latest!.id, { pollMs: 5 })).status).toBe('COMPLETED');
    expect(await repository.deleteEndedBefore(new Date(Date.now() + 86_400_000))).toBe(3);
    expect(await repository.findExecution(ended.id)).toBeUndefined();
  });
});
