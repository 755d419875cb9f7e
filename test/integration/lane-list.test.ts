import type pg from 'pg';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { sessionName } from '../../src/entities/session-name.js';
import type { ILane } from '../../src/interfaces/lane.js';
import type { IBatchOperation } from '../../src/interfaces/operation.js';
import { lockLane } from '../../src/services/queue/requested-changes.sql.js';
import { WORKER_NAME } from '../../src/services/queue/worker-name.js';
import { startTestApp, type TestApp } from '../support/app.js';
import { eventually } from '../support/eventually.js';

let service: TestApp;
const sessions: pg.PoolClient[] = [];

beforeAll(async () => {
  service = await startTestApp(
    { BATCH_SERVICE_RMQ_URL: '', BATCH_ROLE: 'api' },
    { schema: 'create table orders (id int primary key); create table stock (id int primary key)' },
  );
});
afterAll(() => service.close());

beforeEach(async () => {
  await service.database.client.query('truncate batch.operations, batch.pending, batch.lane_blocks');
  for (const target of ['orders', 'stock']) await create(target);
});
afterEach(async () => {
  for (const session of sessions.splice(0)) {
    await session.query('rollback');
    session.release();
  }
});

async function create(target: string, priority = 0): Promise<string> {
  const response = await fetch(`${service.url}/api/v1/operations`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ operationType: 'delete', target, key: { id: 1 }, priority }),
  });
  return ((await response.json()) as { id: string }).id;
}

async function lanes(): Promise<ILane[]> {
  return (await (await fetch(`${service.url}/api/v1/lanes?state=all`)).json()) as ILane[];
}

async function laneOf(target: string): Promise<ILane> {
  return (await lanes()).find(({ targets }) => targets.includes(`public.${target}`))!;
}

async function begin(): Promise<pg.PoolClient> {
  const session = await service.database.client.connect();
  sessions.push(session);
  await session.query('begin');
  return session;
}

const stats = async (): Promise<object> => (await (await fetch(`${service.url}/api/v1/stats`)).json()) as object;

describe('the list of all lanes', () => {
  it('has each lane with its tables, what waits in it, and the operation that is executed next', async () => {
    const urgent = await create('orders', 5);
    const orders = await laneOf('orders');
    expect(orders).toMatchObject({ targets: ['public.orders'], waiting: 2, waitingIsExact: true, state: 'waiting' });
    expect(orders.head).toEqual({ id: urgent, createdAt: expect.stringMatching(/^\d{4}-.*Z$/) as string });
    expect(orders.oldestMs).toBeGreaterThan(0);
    expect(await laneOf('stock')).toMatchObject({ waiting: 1, state: 'waiting' });
    expect((await lanes()).map(({ lane }) => lane)).toEqual(
      (await lanes()).map(({ lane }) => lane).sort((a, b) => a - b),
    );
  });

  it('says of a lane without operations that it is idle', async () => {
    await service.database.client.query('truncate batch.pending');
    const stock = await laneOf('stock');
    expect(stock).toMatchObject({ waiting: 0, oldestMs: 0, state: 'idle' });
    expect(stock).not.toHaveProperty('head');
  });

  it('counts no more than 10 000 operations of a lane, and says so', async () => {
    const { lane } = await laneOf('orders');
    await service.database.client.query(
      `insert into batch.pending (seq, shape, lane, priority) select 1000000 + n, 1, $1, 0 from generate_series(1, 10000) n`,
      [lane],
    );
    expect(await laneOf('orders')).toMatchObject({ waiting: 10_000, waitingIsExact: false });
  });

  it('says which lane a chunk holds', async () => {
    const { lane } = await laneOf('orders');
    const chunk = await begin();
    await chunk.query(lockLane(lane).text, lockLane(lane).values);
    expect(await laneOf('orders')).toMatchObject({ state: 'running' });
    expect(await laneOf('stock')).toMatchObject({ state: 'waiting' });
  });

  it('says that a lane is blocked while its chunk waits for a lock, and counts it in the stats', async () => {
    const { lane } = await laneOf('orders');
    const [chunk, other] = [await begin(), await begin()];
    await other.query('lock table orders in access exclusive mode');
    await chunk.query(lockLane(lane).text, lockLane(lane).values);
    const refused = chunk.query('delete from orders').catch(() => undefined);
    await eventually(async () => expect(await laneOf('orders')).toMatchObject({ state: 'blocked' }));
    const { block, lock } = await laneOf('orders');
    expect(block).toBeUndefined();
    expect(lock).toMatchObject({ relation: 'orders', holders: [{ state: 'idle in transaction' }] });
    expect(lock!.holders[0]).not.toHaveProperty('worker');
    expect(lock!.sinceMs).toBeGreaterThanOrEqual(300);
    expect(await laneOf('stock')).not.toHaveProperty('lock');
    expect(await stats()).toMatchObject({ blockedLanes: 1, parkedLanes: 0, pausedLanes: 0 });
    await other.query('rollback');
    await refused;
  });

  it('counts a lane once that waits for a lock, is closed, and has a fault', async () => {
    const { lane, head } = await laneOf('orders');
    const [chunk, other] = [await begin(), await begin()];
    // It keeps the table in its lane, as if it had created operations in SQL.
    await other.query(`select from batch.lanes where target = 'public.orders' for update`);
    await service.database.client.query(
      `insert into batch.workers (id, name, seen_at, closed_lanes, moving_targets)
       values (gen_random_uuid(), 'w', now(), array[$1::int2], '{public.orders}')`,
      [lane],
    );
    const counts = { blockedLanes: 1, lockedLanes: 0, closedLanes: 0, parkedLanes: 0 };
    await eventually(async () => expect(await stats()).toMatchObject({ ...counts, closedLanes: 1 }));
    await other.query('lock table orders in access exclusive mode');
    await chunk.query(lockLane(lane).text, lockLane(lane).values);
    const refused = chunk.query('delete from orders').catch(() => undefined);
    await eventually(async () => expect(await stats()).toMatchObject({ ...counts, lockedLanes: 1 }));
    expect(await laneOf('orders')).toHaveProperty('closed');
    await service.database.client.query(
      `insert into batch.lane_blocks (lane, seq, failures, message, worker, next_try_at)
       select $1, seq, 3, 'disk full', 'test:1', now() from batch.operations where id = $2`,
      [lane, head!.id],
    );
    await eventually(async () => expect(await stats()).toMatchObject(counts));
    await service.database.client.query('update batch.lane_blocks set parked_at = now()');
    await eventually(async () => expect(await stats()).toMatchObject({ ...counts, parkedLanes: 1 }));
    await other.query('rollback');
    await refused;
    await service.database.client.query('truncate batch.workers');
  });

  it('has the pauses and drains of each lane and of its tables, and the stats count the paused lanes', async () => {
    const { lane } = await laneOf('stock');
    await service.database.client.query(
      `insert into batch.pauses (kind, name, drain, paused_by, reason) values
         ('target', 'public.orders', false, 'command:ann', 'new index'), ('target', 'public.stock', true, null, null),
         ('lane', $1, false, null, null), ('source', 'shop', false, null, null)`,
      [lane],
    );
    const pausesOf = async (target: string): Promise<object[]> =>
      (await laneOf(target)).pauses.map(({ kind, name, drain }) => ({ kind, name, drain }));
    expect((await laneOf('orders')).pauses).toMatchObject([
      { kind: 'target', name: 'public.orders', drain: false, by: 'command:ann', reason: 'new index' },
    ]);
    expect(await pausesOf('stock')).toEqual([
      { kind: 'lane', name: String(lane), drain: false },
      { kind: 'target', name: 'public.stock', drain: true },
    ]);
    expect(await stats()).toMatchObject({ pausedLanes: 2 });
    await service.database.client.query('truncate batch.pauses');
    expect(await pausesOf('stock')).toEqual([]);
    expect(await stats()).toMatchObject({ pausedLanes: 0 });
  });

  it('finds the process of a session by its name', async () => {
    const { rows } = await service.database.client.query<{ name: string }>(
      'select distinct application_name as name from pg_stat_activity where datname = current_database()',
    );
    expect(rows.map(({ name }) => name)).toContain(sessionName(WORKER_NAME));
  });

  it('says which worker of the service holds the lock for which a chunk waits', async () => {
    const worker = `${'x'.repeat(60)}:4711`;
    await service.database.client.query(
      `insert into batch.workers (id, name) values ('0198f2a0-3b1c-7d4e-9f50-6a7b8c9d0e1f', $1)`,
      [worker],
    );
    const { lane, head } = await laneOf('orders');
    const [chunk, other] = [await begin(), await begin()];
    await other.query(
      `set local application_name = '${sessionName(worker)}'; lock table orders in access exclusive mode`,
    );
    await chunk.query(lockLane(lane).text, lockLane(lane).values);
    const refused = chunk.query('delete from orders').catch(() => undefined);
    await eventually(async () => expect((await laneOf('orders')).lock).toMatchObject({ holders: [{ worker }] }));
    const operation = (await (await fetch(`${service.url}/api/v1/operations/${head!.id}`)).json()) as IBatchOperation;
    expect(operation.waiting!.text).toContain(`(worker ${worker} of this service, `);
    await other.query('rollback');
    await refused;
    await service.database.client.query('truncate batch.workers');
  });

  it('has the fault of a blocked or parked lane', async () => {
    const { lane, head } = await laneOf('orders');
    await service.database.client.query(
      `insert into batch.lane_blocks (lane, seq, failures, message, worker, next_try_at)
       select $1, seq, 3, 'canceling statement due to lock timeout', 'test:1', now() from batch.operations where id = $2`,
      [lane, head!.id],
    );
    const block = { lane, operationId: head!.id, failures: 3 };
    expect(await laneOf('orders')).toMatchObject({ state: 'blocked', block });
    await service.database.client.query('update batch.lane_blocks set parked_at = now()');
    expect(await laneOf('orders')).toMatchObject({ state: 'parked', block });
    const blocked = (await (await fetch(`${service.url}/api/v1/lanes`)).json()) as object[];
    expect(blocked).toMatchObject([block]);
  });

  it('is counted in the metrics by the cause for which it does not go on', async () => {
    const { lane, head } = await laneOf('orders');
    const counted = async (): Promise<string[]> => {
      const text = await (await fetch(`${service.url}/metrics`)).text();
      return text.split('\n').filter((line) => line.startsWith('batch_lanes_blocked{'));
    };
    const blocked = (lock: number, fault: number, parked: number): string[] => [
      `batch_lanes_blocked{cause="lock"} ${lock}`,
      'batch_lanes_blocked{cause="open_transaction"} 0',
      `batch_lanes_blocked{cause="fault"} ${fault}`,
      `batch_lanes_blocked{cause="parked"} ${parked}`,
    ];
    await service.database.client.query(
      `insert into batch.lane_blocks (lane, seq, failures, message, worker, next_try_at)
       select $1, seq, 3, 'disk full', 'test:1', now() from batch.operations where id = $2`,
      [lane, head!.id],
    );
    await eventually(async () => expect((await counted()).sort()).toEqual(blocked(0, 1, 0).sort()));
    await service.database.client.query('update batch.lane_blocks set parked_at = now()');
    await eventually(async () => expect((await counted()).sort()).toEqual(blocked(0, 0, 1).sort()));
  });

  it('is refused for a state that it does not know', async () => {
    const response = await fetch(`${service.url}/api/v1/lanes?state=parked`);
    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject({ code: 'INVALID_REQUEST' });
  });
});
