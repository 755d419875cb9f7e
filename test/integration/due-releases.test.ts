import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { NewOperation } from '../../src/services/queue/new-operation.js';
import { partyOf } from '../../src/services/backpressure/party.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';
import { eventually } from '../support/eventually.js';
import { newOperation, type Requested, openWorker, type TestWorker } from '../support/worker.js';

const LIMIT = 100;
const FOREVER = new AbortController().signal;

let database: TestDatabase;
let worker: TestWorker;

beforeEach(async () => {
  database = await createTestDatabase();
  await database.client.query(`
    create table item (id int primary key);
    create table other (id int primary key);
    create table log (id int generated always as identity, item int)`);
  worker = await openWorker(database, { BATCH_MAX_BACKLOG: String(LIMIT) });
});
afterEach(async () => {
  await worker.close();
  await database.drop();
});

const rows = async <Row>(sql: string, values?: unknown[]): Promise<Row[]> =>
  (await database.client.query(sql, values)).rows as Row[];
const pendingOf = async (createdBy: string): Promise<number> =>
  (
    await rows<{ n: number }>('select count(*)::int n from batch.pending where party = $1', [partyOf(createdBy, null)])
  )[0]!.n;

let nextId = 0;
const insert = (createdBy: string, target = 'item', more: Partial<Requested> = {}): NewOperation => {
  nextId += 1;
  return newOperation({
    type: 'insert',
    target: `public.${target}`,
    values: JSON.stringify({ id: nextId }),
    createdBy,
    ...more,
  });
};
const some = <T>(count: number, make: () => T): T[] => Array.from({ length: count }, make);

/** Operations whose time has come, in the order in which they are given. */
async function due(operations: readonly NewOperation[]): Promise<void> {
  const runAt = new Date(Date.now() + 60_000).toISOString();
  await worker.queue.enqueue(operations.map((operation) => ({ ...operation, runAt })));
  await database.client.query(`
    update batch.delayed d set available_at = now() - interval '1 hour' + o.n * interval '1 second'
    from (select seq, row_number() over (order by seq) n from batch.delayed) o where o.seq = d.seq`);
}

/** As after some time: scheduled operations without room are checked again. */
const release = async (): Promise<void> => {
  Object.assign(worker.queue, { nextReleaseAt: 0 });
  await worker.queue.releaseDue();
};

describe('scheduled operations that come due', () => {
  it('become pending as far as the share of their party goes, and leave room for others', async () => {
    await due(some(150, () => insert('key:a')));
    await release();
    expect(await pendingOf('key:a')).toBe(80);
    await release();
    expect(await pendingOf('key:a')).toBe(80);
  });

  it('are executed in order, all of them, as room comes', async () => {
    const operations = some(150, () => insert('key:a'));
    await due(operations);
    for (let polls = 0; polls < 10; polls += 1) {
      await release();
      await worker.job.poll(FOREVER);
    }
    const executed = await rows<{ id: number }>('select id from item order by ctid');
    expect(executed.map(({ id }) => id)).toEqual(operations.map(({ row }) => (JSON.parse(row) as [number])[0]));
  });

  it('come back by themselves, without a call each moment', async () => {
    await due(some(150, () => insert('key:a')));
    await worker.queue.releaseDue();
    const inMs = await worker.queue.nextDueInMs();
    expect(inMs).toBeGreaterThan(100);
    expect(inMs).toBeLessThan(5000);
    await eventually(async () => {
      await worker.job.poll(FOREVER);
      expect(await rows('select from batch.delayed')).toEqual([]);
    });
  });

  it('do not wait for those of a party that has used up its share, in another lane', async () => {
    await worker.queue.enqueue(some(80, () => insert('key:a', 'item')));
    await due([...some(20, () => insert('key:a', 'item')), insert('key:b', 'other')]);
    await release();
    expect(await pendingOf('key:a')).toBe(80);
    expect(await pendingOf('key:b')).toBe(1);
  });

  it('overtake no operation of their lane that has to wait', async () => {
    await worker.queue.enqueue(some(80, () => insert('key:a')));
    await due([insert('key:a'), insert('key:b')]);
    await release();
    expect(await pendingOf('key:b')).toBe(0);
  });

  it('are released also while others fill the backlog for good', async () => {
    await worker.queue.enqueue([...some(44, () => insert('key:b')), ...some(44, () => insert('key:c'))]);
    await due(some(20, () => insert('key:a')));
    await release();
    expect(await pendingOf('key:a')).toBeGreaterThan(0);
    expect((await rows('select from batch.pending')).length).toBeLessThan(LIMIT);
  });

  it('do not delay operations that are retried', async () => {
    await worker.queue.enqueue(some(LIMIT, () => insert('key:b')));
    await due([insert('key:a'), insert('key:a')]);
    await database.client.query(
      `update batch.delayed set reason = 'retry', row_keys = '{1}' where seq = (select max(seq) from batch.delayed)`,
    );
    await release();
    expect(await pendingOf('key:a')).toBe(1);
    expect(await rows('select reason from batch.delayed')).toEqual([{ reason: 'scheduled' }]);
  });

  it('are all released where there is no limit', async () => {
    const unlimited = await openWorker(database, { BATCH_MAX_BACKLOG: '0' });
    try {
      await due(some(300, () => insert('key:a')));
      await unlimited.queue.releaseDue();
      expect(await pendingOf('key:a')).toBe(300);
    } finally {
      await unlimited.close();
    }
  });

  it('are found by walking indexes, also where the planner knows nothing of them', async () => {
    await due(some(300, () => insert('key:a')));
    const { rows: plan } = await database.client
      .query<{ 'QUERY PLAN': string }>(`set enable_seqscan = off; set enable_bitmapscan = off`)
      .then(() =>
        database.client.query<{ 'QUERY PLAN': string }>(
          `explain select seq from batch.delayed where lane = 1 and reason = 'scheduled' and available_at <= now()
         order by available_at, seq limit 10`,
        ),
      );
    const text = plan.map((row) => row['QUERY PLAN']).join('\n');
    expect(text).toContain('delayed_scheduled_lane_idx');
    expect(text).not.toContain('Sort');
  });
});

describe('the party of an operation', () => {
  const parties = async (table: 'pending' | 'delayed'): Promise<number[]> =>
    (await rows<{ party: number }>(`select party from batch.${table} order by seq`)).map(({ party }) => party);

  const FAR = { runAt: new Date(Date.now() + 3_600_000).toISOString() };

  it('is the same number in SQL as in the process', async () => {
    const sources = ['checkout', 'a-b_C', 'x'.repeat(100)];
    const operations = sources.map((source) => insert('', 'item', { createdBy: null, source }));
    const keyed = ['key:0123456789abcdef', 'user:Jörg 🙂'].map((createdBy) =>
      insert(createdBy, 'item', { source: 'x' }),
    );
    await worker.queue.enqueue([...operations, insert('', 'item', { createdBy: null }), ...keyed]);
    expect(await parties('pending')).toEqual([
      ...sources.map((source) => partyOf(null, source)),
      0,
      ...keyed.map(({ createdBy }) => partyOf(createdBy, null)),
    ]);
  });

  it('stays with it when it is scheduled, released, cancelled and asked for again', async () => {
    const [now, later] = [insert('key:a'), insert('key:b', 'item', FAR)];
    await worker.queue.enqueue([now, later]);
    expect(await parties('delayed')).toEqual([partyOf('key:b', null)]);
    for (const { id } of [now, later]) {
      await worker.queue.cancel(id);
      await worker.queue.retry(id);
    }
    expect(await parties('pending')).toEqual([partyOf('key:a', null)]);
    expect(await parties('delayed')).toEqual([partyOf('key:b', null)]);
  });

  it('stays with it while it waits for another attempt', async () => {
    await database.client.query(
      'create table parent (id int primary key); create table child (id int primary key, parent int references parent)',
    );
    const child = insert('key:a', 'child', {
      values: JSON.stringify({ id: 1, parent: 7 }),
      retryLimit: 3,
      retryOn: ['missing_parent'],
    });
    await worker.queue.enqueue([child]);
    await worker.job.poll(FOREVER);
    expect(await rows('select reason, party from batch.delayed')).toEqual([
      { reason: 'retry', party: partyOf('key:a', null) },
    ]);
    await database.client.query(`update batch.delayed set available_at = now()`);
    await worker.queue.releaseDue();
    expect(await parties('pending')).toEqual([partyOf('key:a', null)]);
  });
});
