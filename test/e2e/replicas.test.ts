import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { migrate } from '../../src/services/database/migrate.js';
import { eventually } from '../support/eventually.js';
import { startPrimaryAndStandby, type PrimaryAndStandby } from '../support/primary-and-standby.js';
import { clientOptions, databaseEnvironment, type DatabaseConnection } from '../support/test-databases.js';
import { testSettings } from '../support/test-settings.js';
import { newOperation, openWorkerWith, type TestWorker } from '../support/worker.js';

const IDLE = new AbortController().signal;
const OPERATIONS = 1000;
/** PostgreSQL keeps the numbers of so many subtransactions of a session at hand, see PGPROC_MAX_CACHED_SUBXIDS. */
const CACHED_SUBTRANSACTIONS = 64;

/** A chunk with many refused operations has hundreds of subtransactions. Who reads them elsewhere has to see one transaction. */
describe('a chunk with more subtransactions than PostgreSQL keeps at hand', () => {
  const clients: pg.Client[] = [];
  let servers: PrimaryAndStandby;
  let primary: DatabaseConnection;
  let standby: DatabaseConnection;
  let worker: TestWorker;

  const connect = async (to: DatabaseConnection): Promise<pg.Client> => {
    const client = new pg.Client(clientOptions(to));
    await client.connect();
    clients.push(client);
    return client;
  };
  beforeAll(async () => {
    servers = await startPrimaryAndStandby(['wal_level = logical', 'max_standby_streaming_delay = -1']);
    ({ primary, standby } = servers);

    const settings = testSettings({ ...databaseEnvironment(primary), REDIS_URL: '', BATCH_SERVICE_RMQ_URL: '' });
    await migrate(settings);
    const client = await connect(primary);
    await client.query(`
      create table parent (id int primary key);
      create table child (id int primary key, parent_id int not null references parent, n int check (n >= 0));
      insert into parent select n from generate_series(1, 10) n`);
    await client.query(`select pg_create_logical_replication_slot('changes', 'test_decoding')`);
    worker = await openWorkerWith(settings);
  }, 180_000);
  afterAll(async () => {
    await worker?.close();
    for (const client of clients) await client.end().catch(() => undefined);
    await servers?.stop();
  });

  /** Of three, one misses its parent, or its number is refused. */
  const isBad = (id: number): boolean => id % 3 === 0;
  const values = (id: number): object => {
    if (!isBad(id)) return { id, parent_id: 1 + (id % 10), n: 0 };
    return id % 2 === 0 ? { id, parent_id: -1, n: 0 } : { id, parent_id: 1, n: -1 };
  };
  const countOf = async (client: pg.Client): Promise<number> =>
    Number((await client.query<{ count: string }>('select count(*) from child')).rows[0]!.count);
  const digestOf = async (client: pg.Client): Promise<string> =>
    (
      await client.query<{ digest: string }>('select md5(string_agg(c::text, $1 order by id)) as digest from child c', [
        ';',
      ])
    ).rows[0]!.digest;
  const xactIdsOf = async (client: pg.Client): Promise<number> =>
    Number(
      (await client.query<{ next: string }>('select pg_snapshot_xmax(pg_current_snapshot())::text as next')).rows[0]!
        .next,
    );

  it('is one transaction for readers beside it, for a standby and for logical decoding', async () => {
    const [client, reader, replica, oldReader, oldReplicaReader] = await Promise.all(
      [primary, primary, standby, primary, standby].map(connect),
    );
    const good = Array.from({ length: OPERATIONS }, (_, index) => index + 1).filter((id) => !isBad(id));
    for (const each of [oldReader!, oldReplicaReader!]) {
      await eventually(async () => expect(await countOf(each)).toBe(0));
      await each.query('begin isolation level repeatable read');
      expect(await countOf(each)).toBe(0);
    }
    await worker.queue.enqueue(
      Array.from({ length: OPERATIONS }, (_, index) =>
        newOperation({ type: 'insert', target: 'public.child', values: JSON.stringify(values(index + 1)) }),
      ),
    );
    const firstXactId = await xactIdsOf(client!);

    let done = false;
    const watch = async (watched: pg.Client): Promise<Set<number>> => {
      const counts = new Set<number>();
      while (!done) counts.add(await countOf(watched));
      return counts;
    };
    const watching = Promise.all([watch(reader!), watch(replica!)]);
    while ((await worker.queue.nextDueInMs()) !== undefined || (await countOf(client!)) < good.length) {
      await worker.job.poll(IDLE);
    }
    await eventually(async () => expect(await countOf(replica!)).toBe(good.length));
    done = true;

    expect((await xactIdsOf(client!)) - firstXactId).toBeGreaterThan(2 * CACHED_SUBTRANSACTIONS);
    const { rows: chunks } = await client!.query<{ completed: number }>(
      'select completed from batch.chunks order by id',
    );
    // What readers may see are the numbers of rows after whole chunks.
    let sum = 0;
    const legal = new Set([0, ...chunks.map(({ completed }) => (sum += completed))]);
    for (const counts of await watching) for (const count of counts) expect(legal).toContain(count);
    for (const each of [oldReader!, oldReplicaReader!]) expect(await countOf(each)).toBe(0);
    expect(await digestOf(replica!)).toBe(await digestOf(client!));

    const { rows: decoded } = await client!.query<{ data: string }>(
      `select data from pg_logical_slot_get_changes('changes', null, null) where data like 'table public.child: INSERT%'`,
    );
    const ids = decoded.map(({ data }) => Number(/ id\[integer\]:(\d+)/.exec(data)![1]));
    expect(ids.sort((a, b) => a - b)).toEqual(good);
  }, 120_000);
});
