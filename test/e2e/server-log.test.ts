import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startEmbeddedPostgres, type EmbeddedPostgres } from '../../src/services/database/embedded-postgres.js';
import { migrate } from '../../src/services/database/migrate.js';
import { clientOptions, databaseEnvironment, type DatabaseConnection } from '../support/test-databases.js';
import { testSettings } from '../support/test-settings.js';
import { newOperation, openWorkerWith, type Requested, type TestWorker } from '../support/worker.js';

const IDLE = new AbortController().signal;

/** Operations that PostgreSQL refuses are ordinary. Nobody who watches the server's log is to be woken by them. */
describe('the log of PostgreSQL', () => {
  let folder: string;
  let server: EmbeddedPostgres;
  let client: pg.Client;
  let worker: TestWorker;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'batch-server-log-'));
    server = await startEmbeddedPostgres(folder, 'logged');
    const { host, port, username, password } = server;
    const connection: DatabaseConnection = { host, port, username, password, database: 'logged' };
    const settings = testSettings({ ...databaseEnvironment(connection), REDIS_URL: '', BATCH_SERVICE_RMQ_URL: '' });
    await migrate(settings);
    client = new pg.Client(clientOptions(connection));
    await client.connect();
    await client.query(`
      create table parent (id int primary key, n int check (n >= 0));
      create table child (id int primary key, parent_id int not null references parent, name varchar(5), at date);
      insert into parent select n, 0 from generate_series(1, 50) n;
      insert into child select n, n, 'old' from generate_series(1, 20) n`);
    worker = await openWorkerWith(settings);
  }, 120_000);
  afterAll(async () => {
    await worker?.close();
    await client?.end();
    await server?.stop();
    await rm(folder, { recursive: true, force: true });
    // For root, whose folder is closed to the server.
    await rm(server.directory, { recursive: true, force: true });
  });

  const errors = async (): Promise<string[]> =>
    (await readFile(join(server.directory, 'cluster/postgres.log'), 'utf8'))
      .split('\n')
      .filter((line) => /ERROR|FATAL/.test(line));

  const child = (id: number, values: object): Requested => ({
    type: 'insert',
    target: 'public.child',
    values: JSON.stringify({ id, parent_id: 1, name: 'new', at: '2026-01-01', ...values }),
  });
  const onParent = (type: 'delete' | 'increment', id: number, values?: object): Requested => ({
    type,
    target: 'public.parent',
    key: JSON.stringify({ id }),
    values: values && JSON.stringify(values),
  });
  /** Seven reasons, for one of eight operations each time. */
  const REFUSED: ((id: number) => Requested)[] = [
    () => child(1, {}),
    (id) => child(id, { parent_id: -1 }),
    (id) => child(id, { parent_id: null }),
    (id) => child(id, { name: 'too long' }),
    (id) => child(id, { at: 'no date' }),
    () => onParent('increment', 2, { n: -1 }),
    () => onParent('delete', 3),
  ];

  it('has no error for operations that are refused in a chunk, whatever the reason', async () => {
    const requested = Array.from({ length: 560 }, (_, index) =>
      index % 8 === 0 ? REFUSED[(index / 8) % REFUSED.length]!(1000 + index) : child(1000 + index, {}),
    );
    await worker.queue.enqueue(requested.map(newOperation));
    const before = await errors();
    // The second chunk knows that some will be refused.
    await worker.job.poll(IDLE);
    await worker.queue.enqueue(
      requested.map((each) => newOperation({ ...each, values: each.values?.replace('"id":1', '"id":2') })),
    );
    await worker.job.poll(IDLE);
    const { rows } = await client.query<{ failed: string; chunks: string }>(
      'select sum(failed) as failed, count(*) as chunks from batch.chunks',
    );
    expect(rows[0]).toEqual({ failed: '140', chunks: '2' });
    expect(await errors()).toEqual(before);
  });

  it('has one for a statement that fails outside of a chunk', async () => {
    const before = await errors();
    await expect(client.query('insert into child values (1, 1)')).rejects.toThrow('child_pkey');
    expect(await errors()).toHaveLength(before.length + 1);
  });

  it('has one for many repeated ids, which are found nevertheless', async () => {
    const operations = Array.from({ length: 20 }, (_, index) => newOperation(child(5000 + index, {})));
    await worker.queue.enqueue(operations);
    const before = await errors();
    for (const operation of operations) {
      expect(await worker.queue.enqueue([operation])).toEqual([{ outcome: 'existing', status: 'pending' }]);
    }
    const [error, ...others] = (await errors()).slice(before.length);
    expect(error).toContain('operations_id_key');
    expect(others).toEqual([]);
  });
});
