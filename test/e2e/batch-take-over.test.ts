import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { migrateBatchSchema } from '../../src/batch/repository/schema.js';
import { startBatchProcess, type BatchProcess } from '../support/batch-process/batch-process.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';
import { eventually } from '../support/eventually.js';
import { PoolDatabase } from '../../src/batch/sql/pool-database.js';

const LEASE_MS = 2000;
/** A take-over may begin so long after the end of the lease. */
const GRACE_MS = 5000;
const ROWS = 40;

describe('a job whose process', () => {
  let test: TestDatabase;
  const running: BatchProcess[] = [];
  beforeAll(async () => {
    test = await createTestDatabase({ migrated: false });
    await migrateBatchSchema(new PoolDatabase(test.client));
    await test.client.query('create table source (n int primary key); create table target (n int not null)');
    await test.client.query('insert into source select generate_series(1, $1::int)', [ROWS]);
  });
  afterAll(() => test?.drop());
  beforeEach(async () => void (await test.client.query('truncate target, batch.job_instances cascade')));
  afterEach(async () => void (await Promise.all(running.splice(0).map((each) => each.end()))));

  const start = async (): Promise<BatchProcess> => {
    const process = await startBatchProcess({ connection: test.connection, leaseMs: LEASE_MS });
    running.push(process);
    return process;
  };
  const statuses = async (): Promise<string[]> => {
    const { rows } = await test.client.query<{ status: string }>('select status from batch.job_executions order by id');
    return rows.map(({ status }) => status);
  };
  const target = async (): Promise<number[]> =>
    (await test.client.query<{ n: number }>('select n from target order by n')).rows.map(({ n }) => n);
  const allRows = Array.from({ length: ROWS }, (_, index) => index + 1);

  /** Two processes. The first one stands in its second chunk, before the commit. */
  async function stopped(): Promise<[BatchProcess, BatchProcess]> {
    const [first, second] = await Promise.all([start(), start()]);
    first.order({ do: 'open' });
    second.order({ do: 'open' });
    // Its writer tells of a chunk and waits. It is let go once, and waits in the next chunk.
    first.order({ do: 'hold' });
    first.order({ do: 'start', job: 'copy', round: 1, at: 0 });
    await first.next('chunk');
    first.order({ do: 'next gate' });
    expect((await first.next('chunk')).first).toBe(11);
    await eventually(async () => expect(await target()).toHaveLength(10));
    return [first, second];
  }

  it(`dies is taken over by another within its lease and ${GRACE_MS / 1000} s, and every row is written once`, async () => {
    const [first, second] = await stopped();
    const died = performance.now();
    first.signal('SIGKILL');
    // The chunk that the other process writes first is the one that was not committed.
    expect((await second.next('chunk')).first).toBe(11);
    const tookMs = performance.now() - died;
    await eventually(async () => expect(await statuses()).toEqual(['FAILED', 'COMPLETED']));
    expect(await target()).toEqual(allRows);
    process.stdout.write(`Taken over ${Math.round(tookMs)} ms after the death, with a lease of ${LEASE_MS} ms\n`);
    expect(tookMs).toBeLessThan(LEASE_MS + GRACE_MS);
  });

  it('hangs past its lease commits nothing when it goes on', async () => {
    const [first, second] = await stopped();
    // The gate opens when it goes on.
    first.signal('SIGSTOP');
    expect((await second.next('chunk')).first).toBe(11);
    await eventually(async () => expect(await statuses()).toEqual(['FAILED', 'COMPLETED']));
    first.order({ do: 'go on' });
    first.signal('SIGCONT');
    expect(await first.next('ended', 'refused')).toMatchObject({ is: 'ended', status: 'FAILED' });
    expect(await target()).toEqual(allRows);
    expect(await statuses()).toEqual(['FAILED', 'COMPLETED']);
  });

  it('lives keeps its lease, and is not taken over', async () => {
    const [first, second] = await stopped();
    await eventually(async () => {
      const { rows } = await test.client.query<{ renewed: boolean }>(
        `select lease_until - created_at > $1::int * interval '3 milliseconds' as renewed from batch.job_executions`,
        [LEASE_MS],
      );
      expect(rows).toEqual([{ renewed: true }]);
    });
    first.order({ do: 'go on' });
    expect((await first.next('ended')).status).toBe('COMPLETED');
    expect(await statuses()).toEqual(['COMPLETED']);
    expect(await target()).toEqual(allRows);
    second.signal('SIGKILL');
    await expect(second.next('chunk')).rejects.toThrow('has ended and did not say');
  });
});
