import { userInfo } from 'node:os';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { createTestDatabase, type TestDatabase } from '../support/database.js';
import { eventually } from '../support/eventually.js';
import { startServiceProcess, type ServiceProcess } from '../support/service-process.js';
import { testEnvironment, type TestEnvironment } from '../support/test-settings.js';
import { newOperation, openWorker, type TestWorker } from '../support/worker.js';

const TIMESTAMP = '[-0-9]{10}T[.:0-9]{12}Z';
const ACTOR = `command:${userInfo().username}`;

describe('npm run pauses', () => {
  let database: TestDatabase;
  let queue: TestWorker;
  const processes: ServiceProcess[] = [];

  beforeAll(async () => {
    database = await createTestDatabase();
    await database.client.query('create table orders (id int primary key); create table notes (id int primary key)');
    queue = await openWorker(database);
  });
  afterAll(async () => {
    await queue?.close();
    await database?.drop();
  });
  afterEach(async () => {
    await Promise.all(processes.splice(0).map((process) => process.end()));
    await database.client.query('delete from batch.pauses');
  });

  async function run(args: string[], overrides: TestEnvironment = {}): Promise<{ status: unknown; output: string }> {
    const environment = testEnvironment({ ...database.environment, ...overrides });
    const program = await startServiceProcess({ environment, program: 'pauses', args });
    const status = await program.exited;
    return { status, output: program.output };
  }

  it('pauses, lists and resumes', async () => {
    expect(await run(['pause', 'target', 'orders', '--reason', 'new index'])).toEqual({
      status: 0,
      output: 'The target public.orders is paused: nothing of it is executed.\n',
    });
    const { output } = await run(['list']);
    expect(output).toMatch(new RegExp(`target public\\.orders paused 0 ${TIMESTAMP} ${ACTOR} "new index"\n`));
    expect(output).toContain('1 paused or drained\n');
    expect(await run(['resume', 'target', 'orders'])).toEqual({
      status: 0,
      output: 'The target public.orders goes on.\n',
    });
    expect((await run(['list'])).output).toBe('0 paused or drained\n');
    const { rows } = await database.client.query<object>(
      `select act, actor from batch.audit where subject = 'public.orders' order by id`,
    );
    expect(rows).toEqual([
      { act: 'pause', actor: ACTOR },
      { act: 'unpause', actor: ACTOR },
    ]);
  });

  it('drains, and shows how many remain', async () => {
    await queue.queue.enqueue([newOperation({ type: 'insert', target: 'public.orders', values: '{"id":1}' })]);
    expect(await run(['drain', 'target', 'orders'])).toEqual({
      status: 0,
      output: 'The target public.orders is drained: new operations are refused. `list` shows how many remain.\n',
    });
    expect((await run(['list'])).output).toMatch(/target public\.orders drained 1 /);
  });

  it('says what is wrong with what it is asked', async () => {
    expect(await run(['pause', 'table', 'orders'])).toMatchObject({
      status: 2,
      output: expect.stringContaining('Usage: ') as string,
    });
    expect(await run(['pause', 'target', 'ordres'])).toEqual({
      status: 1,
      output: 'There is no table "ordres"; did you mean "orders"?\n',
    });
    expect(await run(['resume', 'source', 'importer'])).toEqual({
      status: 1,
      output: 'The source "importer" is neither paused nor drained\n',
    });
  });

  it('holds for a worker that is started later, and its end wakes the worker at once', async () => {
    await run(['pause', 'target', 'notes']);
    const operations = [1, 2].map((id) =>
      newOperation({ type: 'insert', target: 'public.notes', values: JSON.stringify({ id }) }),
    );
    await queue.queue.enqueue([
      ...operations,
      newOperation({ type: 'insert', target: 'public.orders', values: '{"id":9}' }),
    ]);
    const worker = await startServiceProcess({
      environment: testEnvironment({
        ...database.environment,
        // It polls so seldom that only a signal can wake it in time.
        ...{
          LOG_LEVEL: 'info',
          BATCH_ROLE: 'worker',
          BATCH_PROCESS_OPERATION_INTERVAL: '600000',
          REDIS_URL: '',
          BATCH_SERVICE_RMQ_URL: '',
        },
      }),
      args: ['worker'],
    });
    processes.push(worker);
    await worker.up();
    const written = async (table: string): Promise<number> =>
      (await database.client.query(`select from ${table}`)).rowCount!;
    // The worker has polled: it has executed what is not paused.
    await eventually(async () => expect(await written('orders')).toBeGreaterThan(0));
    expect(await written('notes')).toBe(0);
    await run(['resume', 'target', 'notes']);
    await eventually(async () => expect(await written('notes')).toBe(2));
  });
});
