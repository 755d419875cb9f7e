import { userInfo } from 'node:os';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createTestDatabase, type TestDatabase } from '../support/database.js';
import { eventually } from '../support/eventually.js';
import { startServiceProcess } from '../support/service-process.js';
import { testEnvironment, type TestEnvironment } from '../support/test-settings.js';
import { newOperation, openWorker, type TestWorker } from '../support/worker.js';

let database: TestDatabase;
let worker: TestWorker;
beforeAll(async () => {
  database = await createTestDatabase();
  await database.client.query('create table apart (id int primary key)');
  worker = await openWorker(database);
});
afterAll(async () => {
  await worker?.close();
  await database?.drop();
});

/** `count` operations that failed with MISSING_PARENT. */
async function fail(count: number): Promise<void> {
  const { client } = database;
  await client.query(
    'truncate batch.operations, batch.pending, batch.delayed, batch.outcomes, batch.chunks, batch.bulk_actions cascade',
  );
  const all = Array.from({ length: count }, (_, id) =>
    newOperation({ type: 'insert', target: 'public.apart', values: `{"id":${id}}`, source: 'shop' }),
  );
  await worker.queue.enqueue(all);
  await client.query(`
    with gone as (delete from batch.pending returning seq)
    insert into batch.outcomes (seq, status, rows_affected, attempts, code, message)
    select seq, 'failed', 0, 1, 'MISSING_PARENT', 'no parent' from gone`);
}

const count = async (relation: string): Promise<number> =>
  (await database.client.query<{ n: number }>(`select count(*)::int as n from ${relation}`)).rows[0]!.n;

describe('npm run operations', () => {
  beforeEach(() => fail(3));

  async function run(args: string[], overrides: TestEnvironment = {}): Promise<{ status: unknown; output: string }> {
    const environment = testEnvironment({ ...database.environment, ...overrides });
    const program = await startServiceProcess({ environment, program: 'operations', args });
    const status = await program.exited;
    return { status, output: program.output };
  }

  it('lists operations by the same filter as REST', async () => {
    const { status, output } = await run(['list', '--code', 'MISSING_PARENT', '--limit', '2']);
    expect(status, output).toBe(0);
    expect(output.match(/ failed insert public\.apart MISSING_PARENT "no parent"\n/g)).toHaveLength(2);
    expect(output).toMatch(/2 listed; there may be more: --cursor \d+\n/);
    const json = await run(['list', '--source', 'shop', '--json']);
    expect(json.output.split('\n')[0]).toMatch(/^\{"id":.*"values":\{"id":2\}/);
  });

  it('counts with a dry run, and retries by the filter then', async () => {
    expect(await run(['retry', '--code', 'MISSING_PARENT', '--dry-run'])).toEqual({
      status: 0,
      output: '3 operations match\n',
    });
    expect(await count('batch.pending')).toBe(0);
    const { status, output } = await run(['retry', '--code', 'MISSING_PARENT', '--expected', '3']);
    expect(status, output).toBe(0);
    expect(output).toMatch(/^[0-9a-f-]{36} retry completed: 3 done, 0 skipped, of 3\n$/);
    expect(await count('batch.pending')).toBe(3);

    const id = output.slice(0, 36);
    expect((await run(['show', id])).output).toBe(output);
    expect((await run(['actions', '--limit', '1'])).output).toMatch(
      /^\d{4}-\S+Z [0-9a-f-]{36} retry completed: 3 done/,
    );
    expect((await run(['actions', '--limit', '0'])).output).toMatch(/^--limit must be a whole number from 1/);
    const { rows } = await database.client.query('select distinct actor from batch.audit where subject = $1', [id]);
    expect(rows).toEqual([{ actor: `command:${userInfo().username}` }]);
    expect((await run(['stop', id])).output).toMatch(/is completed; only a running one can be stopped/);
  });

  it('cancels and erases', async () => {
    await run(['retry', '--source', 'shop']);
    expect((await run(['cancel', '--source', 'shop'])).output).toMatch(/cancel completed: 3 done/);
    expect((await run(['erase', '--status', 'cancelled'])).output).toMatch(/erase completed: 3 done/);
    expect(await count('batch.operations where erased_at is not null')).toBe(3);
  });

  it('refuses a wrong filter, and names the option and what is allowed', async () => {
    const wrong = await run(['retry', '--code', 'MISSING_PARNT']);
    expect(wrong.status).toBe(2);
    expect(wrong.output).toMatch(/^--code must be one of .*did you mean "MISSING_PARENT"/);
    expect(await run(['retry'])).toMatchObject({
      status: 2,
      output: expect.stringMatching(/^retry needs a filter: at least one of --status, .*--id/) as string,
    });
    expect(await run(['retry', '--created-after', 'now'])).toMatchObject({
      status: 2,
      output: expect.stringMatching(/^--created-after must be a time/) as string,
    });
    expect(await run(['show', 'abc'])).toMatchObject({
      status: 2,
      output: expect.stringMatching(/^The id of a bulk action is a UUID, not 'abc'/) as string,
    });
    expect((await run(['retry', '--colour', 'red'])).output).toMatch(/^Unknown option '--colour'/);
    expect((await run(['list', '--status', 'done'])).output).toMatch(/^--status must be one of scheduled, pending/);
  });
});

it('goes on in another process after a kill in the middle of a bulk action, with exact counts', async () => {
  const operations = 30_000;
  await fail(operations);
  const environment = testEnvironment({
    ...{ ...database.environment, BATCH_SERVICE_RMQ_URL: '', REDIS_URL: '' },
    BATCH_ROLE: 'worker',
  });
  const killed = await startServiceProcess({
    environment: testEnvironment(database.environment),
    program: 'operations',
    args: ['retry', '--code', 'MISSING_PARENT'],
  });
  await eventually(async () => expect(await count('batch.bulk_steps')).toBeGreaterThanOrEqual(3));
  killed.signal('SIGKILL');
  await killed.exited;
  const { rows: left } = await database.client.query<{ status: string; done: string }>(
    'select status, done from batch.bulk_actions',
  );
  expect(left[0]!.status).toBe('running');
  expect(Number(left[0]!.done)).toBeLessThan(operations);

  const other = await startServiceProcess({ environment });
  try {
    await eventually(
      async () => {
        const { rows } = await database.client.query('select status, matched, done, skipped from batch.bulk_actions');
        expect(rows).toEqual([
          { status: 'completed', matched: String(operations), done: String(operations), skipped: '0' },
        ]);
      },
      { timeoutMs: 30_000 },
    );
    // Each operation was retried once, and is executed.
    await eventually(async () => expect(await count('apart')).toBe(operations), { timeoutMs: 30_000 });
    expect(await count('batch.outcomes where attempts > 2')).toBe(0);
  } finally {
    await other.end();
  }
}, 90_000);
