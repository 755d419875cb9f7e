import { LANE_LOCK } from '../../src/entities/lane-lock.js';
import type pg from 'pg';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { Poller } from '../../src/services/poller/poller.js';
import { startTestApp, type TestApp } from '../support/app.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';
import { eventually } from '../support/eventually.js';
import { newOperation, openWorker, type TestWorker } from '../support/worker.js';

const TARGETS = ['alpha', 'beta', 'gamma', 'delta', 'epsilon', 'zeta'];
const CALLERS = 25;
/** What an insert takes on an idle machine is some milliseconds; the neighbours of a test may be busy. */
const PROMPT_MS = 2000;
/** A place among those who wait, the lock, and what it takes to ask and answer. */
const BOUND_MS = 5000;

interface Answer {
  status: number;
  retryAfter: string | null;
  body: { id?: string; code?: string; status?: string; details?: Record<string, unknown> };
  ms: number;
}

describe('a lane that is busy for long', () => {
  let service: TestApp;
  let holder: pg.PoolClient | undefined;

  beforeAll(async () => {
    // Nobody executes anything.
    service = await startTestApp(
      { BATCH_ROLE: 'api', BATCH_SERVICE_RMQ_URL: '', REDIS_URL: '' },
      {
        schema: [...TARGETS, 'items', 'others'].map((table) => `create table ${table} (id int primary key)`).join(';'),
      },
    );
  });
  afterAll(() => service.close());
  afterEach(() => release());

  const call = async (method: string, path: string, body?: unknown): Promise<Answer> => {
    const startedAt = performance.now();
    const response = await fetch(`${service.url}${path}`, {
      method,
      headers: { 'content-type': 'application/json' },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
    return {
      status: response.status,
      retryAfter: response.headers.get('retry-after'),
      body: (await response.json()) as Answer['body'],
      ms: performance.now() - startedAt,
    };
  };
  let nextId = 0;
  const create = (target: string, more: object = {}): Promise<Answer> =>
    call('POST', '/api/v1/operations', { operationType: 'insert', target, values: { id: (nextId += 1) }, ...more });
  const createMany = (count: number, more: object = {}): Promise<string[]> =>
    Promise.all(Array.from({ length: count }, async () => (await create('items', more)).body.id!));
  const cancel = (id: string): Promise<Answer> => call('DELETE', `/api/v1/operations/${id}`);
  const query = async <Row extends pg.QueryResultRow>(text: string, values: unknown[] = []): Promise<Row[]> =>
    (await service.database.client.query<Row>(text, values)).rows;
  const laneOf = async (target: string): Promise<number> =>
    (await query<{ lane: number }>('select lane from batch.lanes where target = $1', [`public.${target}`]))[0]!.lane;

  /** As a chunk that takes long. */
  async function hold(lane: number): Promise<void> {
    holder = await service.database.client.connect();
    await holder.query('begin');
    await holder.query('select pg_advisory_xact_lock($1, $2)', [LANE_LOCK, lane]);
  }
  async function release(): Promise<void> {
    await holder?.query('rollback');
    holder?.release();
    holder = undefined;
  }

  it('does not affect others or readiness while many cancel in it; these get LANE_BUSY within seconds', async () => {
    const ids = await createMany(CALLERS);
    await hold(await laneOf('items'));
    let done = false;
    const cancelled = Promise.all(ids.map(cancel)).finally(() => (done = true));
    const inserts: Answer[] = [];
    const probes: Answer[] = [];
    while (!done) {
      inserts.push(await create('others'));
      probes.push(await call('GET', '/health/ready'));
    }
    expect(new Set(probes.map(({ status }) => status))).toEqual(new Set([200]));
    expect(new Set(inserts.map(({ status }) => status))).toEqual(new Set([201]));
    expect(Math.max(...inserts.map(({ ms }) => ms))).toBeLessThan(PROMPT_MS);
    for (const answer of await cancelled) {
      expect(answer).toMatchObject({
        status: 503,
        retryAfter: '1',
        body: { code: 'LANE_BUSY', details: { retryAfterMs: 1000 } },
      });
      expect(answer.ms).toBeLessThan(BOUND_MS);
    }
    await release();
    const again = await Promise.all(ids.map(cancel));
    expect(again.map(({ status, body }) => [status, body.status])).toEqual(ids.map(() => [200, 'cancelled']));
  });

  it('cancels a scheduled operation at once', async () => {
    const ids = await createMany(CALLERS, { runAt: '2035-01-01T00:00:00Z' });
    await hold(await laneOf('items'));
    const answers = await Promise.all(ids.map(cancel));
    expect(answers.map(({ status, body }) => [status, body.status])).toEqual(ids.map(() => [200, 'cancelled']));
    expect(await query('select from batch.delayed')).toEqual([]);
  });

  it('has at most two connections waiting for locks, in whatever lanes callers cancel', async () => {
    const ids = await Promise.all(TARGETS.map(async (target) => (await create(target)).body.id!));
    const lanes = new Set(await Promise.all(TARGETS.map(laneOf)));
    expect(lanes.size).toBeGreaterThan(2);
    holder = await service.database.client.connect();
    await holder.query('begin');
    for (const lane of lanes) await holder.query('select pg_advisory_xact_lock($1, $2)', [LANE_LOCK, lane]);
    let done = false;
    const cancelled = Promise.all(ids.map(cancel)).finally(() => (done = true));
    const waiting: number[] = [];
    while (!done) {
      const [row] = await query<{ n: number }>(
        `select count(*)::int as n from pg_stat_activity
         where datname = current_database() and application_name like 'batch-service%' and wait_event_type = 'Lock'`,
      );
      waiting.push(row!.n);
    }
    expect(Math.max(...waiting)).toBe(2);
    expect(new Set((await cancelled).map(({ body }) => body.code))).toEqual(new Set(['LANE_BUSY']));
  });

  it('answers each of several cancels with its own result', async () => {
    const [waiting, settled, unknown] = [await createMany(3), await createMany(1), crypto.randomUUID()];
    const lane = await laneOf('items');
    await hold(lane);
    const answers = Promise.all([...waiting, ...settled, unknown, waiting[0]!].map(cancel));
    await eventually(async () => {
      expect(await query('select from pg_locks where locktype = $1 and not granted', ['advisory'])).toHaveLength(1);
    });
    // A chunk that settles one of them.
    await holder!.query(
      'delete from batch.pending p using batch.operations o where o.seq = p.seq and o.id = any($1::uuid[])',
      [settled],
    );
    await holder!.query('commit');
    const [first, second, third, late, nobody, twice] = await answers;
    expect([second, third].map((answer) => answer!.body.status)).toEqual(['cancelled', 'cancelled']);
    expect([first, twice].map((answer) => answer!.status).sort()).toEqual([200, 409]);
    expect(late).toMatchObject({ status: 409, body: { code: 'NOT_CANCELLABLE', details: { status: 'completed' } } });
    expect(nobody).toMatchObject({ status: 404, body: { code: 'OPERATION_NOT_FOUND' } });
  });

  describe('because its tables are being moved to another', () => {
    /** As `moveTargets`, of a move that takes long. */
    async function move(target: string): Promise<void> {
      holder = await service.database.client.connect();
      await holder.query('begin');
      await holder.query('update batch.lanes set lane = lane where target = $1', [`public.${target}`]);
    }

    it('keeps nobody waiting who inserts into other tables', async () => {
      await Promise.all([create('items'), create('others')]);
      await move('items');
      let done = false;
      const refused = Promise.all(Array.from({ length: CALLERS }, () => create('items'))).finally(() => (done = true));
      const inserts: Answer[] = [];
      while (!done) inserts.push(await create('others'));
      expect(new Set(inserts.map(({ status }) => status))).toEqual(new Set([201]));
      expect(Math.max(...inserts.map(({ ms }) => ms))).toBeLessThan(PROMPT_MS);
      for (const answer of await refused) {
        expect(answer).toMatchObject({ status: 503, retryAfter: '1', body: { code: 'LANE_BUSY' } });
        expect(answer.ms).toBeLessThan(BOUND_MS);
      }
      await release();
      expect((await create('items')).status).toBe(201);
    });

    it('takes a list for the tables that stay, and says of the others that they are busy', async () => {
      await move('items');
      const operation = (target: string) => ({ operationType: 'insert', target, values: { id: (nextId += 1) } });
      const list = { operations: ['items', 'others', 'items', 'others'].map(operation) };
      const { status, body } = await call('POST', '/api/v1/operations/bulk', list);
      expect(status).toBe(200);
      expect(body).toMatchObject({
        results: [
          { error: { code: 'LANE_BUSY', details: { retryAfterMs: 1000 } } },
          { created: true },
          { error: { code: 'LANE_BUSY' } },
          { created: true },
        ],
      });
    });

    it('refuses a retry, and loses nothing by it', async () => {
      const [id] = (await createMany(1)) as [string];
      await cancel(id);
      await move('items');
      expect(await call('POST', `/api/v1/operations/${id}/retries`)).toMatchObject({
        status: 503,
        retryAfter: '1',
        body: { code: 'LANE_BUSY' },
      });
      expect((await call('GET', `/api/v1/operations/${id}`)).body.status).toBe('cancelled');
      await release();
      expect((await call('POST', `/api/v1/operations/${id}/retries`)).body.status).toBe('pending');
    });
  });
});

describe('a lane that is never free', () => {
  const CHUNK_LIMIT = 20;
  let database: TestDatabase;
  let workers: TestWorker[];

  beforeAll(async () => {
    database = await createTestDatabase();
    // With a trigger, operations run one by one: a chunk takes a tenth of a second.
    await database.client.query(`
      create table items (id int primary key);
      create function dawdle() returns trigger language plpgsql as $$ begin perform pg_sleep(0.005); return null; end $$;
      create trigger dawdle after insert on items for each statement execute function dawdle()`);
    workers = await Promise.all(
      Array.from({ length: 4 }, () => openWorker(database, { BATCH_PROCESS_OPERATION_LIMIT: String(CHUNK_LIMIT) })),
    );
  });
  afterAll(async () => {
    await Promise.all(workers.map((worker) => worker.close()));
    await database.drop();
  });

  let nextId = 0;
  const insert = (priority: number) =>
    newOperation({ type: 'insert', target: 'public.items', values: `{"id":${(nextId += 1)}}`, priority });
  const settled = async (): Promise<number> =>
    (await database.client.query<{ n: number }>('select coalesce(sum(operations), 0)::int as n from batch.chunks'))
      .rows[0]!.n;
  /** As in processes of their own, as long as `work` runs. */
  async function whileExecuting<T>(executing: readonly TestWorker[], work: () => Promise<T>): Promise<T> {
    const pollers = executing.map(({ job }) => new Poller(job));
    for (const poller of pollers) poller.start();
    try {
      return await work();
    } finally {
      await Promise.all(pollers.map((poller) => poller.stop()));
    }
  }

  it('is left to a cancel before the next chunk, however many workers want it', async () => {
    const [api] = workers as [TestWorker];
    const doomed = Array.from({ length: 8 }, () => insert(0));
    await api.queue.enqueue([...doomed, ...Array.from({ length: 3000 }, () => insert(1))]);
    const times = await whileExecuting(workers, async () => {
      await eventually(async () => expect(await settled()).toBeGreaterThan(CHUNK_LIMIT));
      const taken: number[] = [];
      for (const { id } of doomed) {
        const startedAt = performance.now();
        await api.queue.cancel(id);
        taken.push(performance.now() - startedAt);
      }
      return taken;
    });
    expect(Math.max(...times)).toBeLessThan(2000);
  });

  it('is left to chunks while callers of several processes cancel in it all the time', async () => {
    await database.client.query('truncate batch.operations, batch.pending, batch.outcomes, batch.chunks');
    const [worker, ...apis] = workers as [TestWorker, ...TestWorker[]];
    const doomed = Array.from({ length: 20_000 }, () => insert(0));
    for (let i = 0; i < doomed.length; i += 5000) await worker.queue.enqueue(doomed.slice(i, i + 5000));
    await worker.queue.enqueue(Array.from({ length: 2000 }, () => insert(1)));
    let done = false;
    const cancel = async ({ queue }: TestWorker): Promise<void> => {
      for (let next = doomed.pop(); next !== undefined && !done; next = doomed.pop()) await queue.cancel(next.id);
    };
    // Several in each process: while some are answered, others wait.
    const callers = apis.flatMap((api) => Array.from({ length: 8 }, () => cancel(api)));
    try {
      await whileExecuting([worker], () =>
        eventually(async () => expect(await settled()).toBeGreaterThanOrEqual(5 * CHUNK_LIMIT), { timeoutMs: 20_000 }),
      );
      expect(doomed.length).toBeGreaterThan(0);
    } finally {
      done = true;
      await Promise.all(callers);
    }
  });
});
