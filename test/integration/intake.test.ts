import { randomUUID } from 'node:crypto';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import type { DataSource } from 'typeorm';
import type { ICreateBatchOperationRequest } from '../../src/interfaces/operation.js';
import { MAX_OPERATIONS_PER_REQUEST } from '../../src/interfaces/rpc.js';
import { FULL_ACCESS, type Access } from '../../src/services/access/access.js';
import { BacklogService } from '../../src/services/backpressure/backlog.service.js';
import { CatalogService } from '../../src/services/catalog/catalog.service.js';
import { TargetList } from '../../src/services/catalog/target-list.js';
import { createDataSource } from '../../src/services/database/data-source.js';
import { DatabaseService } from '../../src/services/database/database.service.js';
import { BugsService } from '../../src/services/health/bugs.service.js';
import { HealthService } from '../../src/services/health/health.service.js';
import { SubmissionPipeline } from '../../src/services/intake/submission-pipeline.js';
import { IntakeService } from '../../src/services/intake/intake.service.js';
import { MetricsService } from '../../src/services/observability/metrics.service.js';
import { LaneRegisterService } from '../../src/services/queue/lane-register.service.js';
import { ShapesService } from '../../src/services/queue/shapes.service.js';
import { QueueService } from '../../src/services/queue/queue.service.js';
import { WakeUpService } from '../../src/services/wake-up/wake-up.service.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';
import { eventually } from '../support/eventually.js';
import { testSettings } from '../support/test-settings.js';

/** Counts the statements that store operations. */
class CountingDatabase extends DatabaseService {
  inserts = 0;

  override query<Row>(statement: Parameters<DatabaseService['query']>[0]) {
    if (statement.text.includes('insert into batch.operations')) this.inserts++;
    return super.query<Row>(statement);
  }
}

interface StoredRow {
  id: string;
  target: string;
  key: string | null;
  values: string | null;
}

describe('IntakeService', () => {
  let database: TestDatabase;
  let dataSource: DataSource;
  let counting: CountingDatabase;
  let catalog: CatalogService;
  let wakeUp: WakeUpService;
  let metrics: MetricsService;
  let intake: IntakeService;

  const run = (sql: string) => database.client.query(sql);
  const accept = (request: unknown) => intake.accept(request, FULL_ACCESS);
  const acceptMany = (request: unknown, access: Access = FULL_ACCESS) => intake.acceptMany(request, access);
  const stored = async (): Promise<StoredRow[]> => {
    const { rows } = await database.client.query<StoredRow>(
      'select id, target, key::text, "values"::text from batch.batch_operations order by seq',
    );
    return rows;
  };
  const insert = (id: number, more: Partial<ICreateBatchOperationRequest> = {}): ICreateBatchOperationRequest => ({
    operationType: 'insert',
    target: 'items',
    values: { id },
    ...more,
  });
  const idsOf = (rows: StoredRow[]) => rows.map((row) => (JSON.parse(row.values ?? '{}') as { id: number }).id);
  const refusal = async (request: unknown): Promise<unknown> => {
    try {
      return await accept(request);
    } catch (error) {
      return error;
    }
  };

  beforeAll(async () => {
    database = await createTestDatabase();
    const settings = testSettings({ ...database.environment, REDIS_URL: '', BATCH_ALLOWED_TARGETS: '*' });
    dataSource = await createDataSource(settings).initialize();
    counting = new CountingDatabase(dataSource);
  });
  afterAll(async () => {
    await dataSource.destroy();
    await database.drop();
  });
  beforeEach(async () => {
    await run(`drop schema if exists public cascade; create schema public;
               create table items (id int primary key, note text, count int);
               create table stock (id int primary key, amount numeric)`);
    await run('truncate batch.operations, batch.pending, batch.delayed');
    const settings = testSettings({ ...database.environment, REDIS_URL: '', BATCH_ALLOWED_TARGETS: 'public.*' });
    catalog = new CatalogService(counting, settings);
    wakeUp = new WakeUpService(settings);
    metrics = new MetricsService();
    intake = new IntakeService(
      catalog,
      new QueueService(counting, new LaneRegisterService(counting, catalog), new ShapesService(counting), settings),
      wakeUp,
      metrics,
      new BacklogService(counting, metrics, settings),
      new BugsService(metrics, new HealthService()),
      settings,
    );
    counting.inserts = 0;
  });
  afterEach(() => {
    vi.useRealTimers();
    vi.restoreAllMocks();
  });

  it('stores requests as they were sent', async () => {
    const id = randomUUID();
    const request = {
      id: id.toUpperCase(),
      operationType: 'update',
      target: 'items',
      key: { id: '7' },
      values: { note: 'ä "quoted" \\ 😀\n', count: null },
      mustExist: true,
      priority: 3,
      source: 'shop',
    };
    expect(await accept(request)).toEqual({ id, status: 'pending', created: true });
    const { rows } = await database.client.query(
      'select o.*, p.lane as pending_lane from batch.batch_operations o join batch.pending p using (seq)',
    );
    const [{ lane }] = (await run(`select lane from batch.lanes where target = 'public.items'`)).rows;
    expect(rows).toHaveLength(1);
    expect(rows[0]).toMatchObject({
      id,
      type: 'update',
      target: 'public.items',
      key: request.key,
      values: request.values,
      must_exist: true,
      priority: 3,
      source: 'shop',
      lane,
      pending_lane: lane,
    });
  });

  it('schedules operations with a runAt', async () => {
    const runAt = new Date(Date.now() + 3_600_000).toISOString();
    expect(await accept(insert(1, { runAt }))).toMatchObject({ status: 'scheduled', created: true });
    expect((await run('select from batch.pending')).rowCount).toBe(0);
    expect((await run('select from batch.delayed')).rowCount).toBe(1);
  });

  it('stores concurrent singles together, in the order in which they came', async () => {
    await catalog.table('items');
    const answers = await Promise.all(Array.from({ length: 1000 }, (_, i) => accept(insert(i))));
    // One, and another one for each pause of the process meanwhile.
    expect(counting.inserts).toBeLessThanOrEqual(20);
    const rows = await stored();
    expect(idsOf(rows)).toEqual(Array.from({ length: 1000 }, (_, i) => i));
    expect(answers.map((answer) => answer.id)).toEqual(rows.map((row) => row.id));
  });

  it('keeps the order of one caller over many flushes, singles and bulks mixed', async () => {
    await catalog.table('items');
    const calls: Promise<unknown>[] = [];
    let next = 0;
    for (let round = 0; round < 30; round++) {
      calls.push(accept(insert(next++)));
      calls.push(acceptMany({ operations: [insert(next++), insert(next++), insert(next++)] }));
      await new Promise(setImmediate);
    }
    await Promise.all(calls);
    expect(counting.inserts).toBeGreaterThan(1);
    expect(idsOf(await stored())).toEqual(Array.from({ length: next }, (_, i) => i));
  });

  it('stores nothing that comes after a request which could not be checked, although both share a flush', async () => {
    await catalog.table('items');
    const unreachable = Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' });
    const tables = catalog.tables.bind(catalog);
    // Of the two, either may be checked before the other.
    vi.spyOn(catalog, 'tables').mockImplementation((names) =>
      names.includes('public.items') ? Promise.reject(unreachable) : tables(names),
    );
    const pipeline = new SubmissionPipeline();
    const [first, second] = await Promise.allSettled(
      [insert(1, { target: 'public.items' }), insert(2)].map((each) =>
        intake.accept(each, FULL_ACCESS, pipeline.place({ retried: true })),
      ),
    );
    expect(first).toMatchObject({ status: 'rejected', reason: { code: 'SERVICE_UNAVAILABLE' } });
    expect(second).toMatchObject({ status: 'rejected', reason: { code: 'SERVICE_UNAVAILABLE' } });
    expect(pipeline.aborted).toBe(true);
    expect(await stored()).toEqual([]);
  });

  it('takes the most that a request may carry, in order and in few statements', async () => {
    const operations = Array.from({ length: MAX_OPERATIONS_PER_REQUEST }, (_, i) => insert(i));
    const { results } = await acceptMany({ operations });
    const rows = await stored();
    expect(idsOf(rows)).toEqual(operations.map((_, i) => i));
    expect(results).toEqual(rows.map(({ id }) => ({ id, status: 'pending', created: true })));
    // 2000 operations a statement.
    expect(counting.inserts).toBe(10);
  });

  it('lets one bad operation spoil no other', async () => {
    const { results } = await acceptMany({
      operations: [
        insert(1),
        'nonsense',
        insert(2, { target: 'no_such_table' }),
        insert(3, { target: 'batch.operations' }),
        insert(4, { values: { idd: 1 } }),
        insert(5, { values: { id: '2147483648' } }),
        insert(6, { values: { note: 'a\0b' } }),
        { operationType: 'delete', target: 'stock', key: { amount: 1 } },
        insert(7, { target: 'stock' }),
      ],
    });
    expect(results.map((result) => ('error' in result ? result.error.code : result.status))).toEqual([
      'pending',
      'INVALID_REQUEST',
      'UNKNOWN_TARGET',
      'TARGET_NOT_ALLOWED',
      'UNKNOWN_COLUMN',
      'VALUE_OUT_OF_RANGE',
      'INVALID_VALUE',
      'KEY_NOT_UNIQUE',
      'pending',
    ]);
    expect(idsOf(await stored())).toEqual([1, 7]);
    expect(counting.inserts).toBe(1);
    const { body } = await metrics.render();
    expect(body).toContain('batch_operations_accepted_total 2');
    expect(body).toContain('batch_operations_refused_total{code="UNKNOWN_COLUMN"} 1');
  });

  it('refuses single callers their own operation only', async () => {
    const settled = await Promise.allSettled([
      accept(insert(1)),
      accept(insert(2, { values: { nope: 1 } })),
      accept(insert(3)),
    ]);
    expect(settled.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
    expect(idsOf(await stored())).toEqual([1, 3]);
  });

  describe('a repeated id', () => {
    it('is one operation, whether it comes at once, together or later', async () => {
      const id = randomUUID();
      const together = await Promise.all([accept(insert(1, { id })), accept(insert(1, { id }))]);
      expect(together.map((answer) => answer.created)).toEqual([true, false]);
      expect(await accept(insert(1, { id: id.toUpperCase() }))).toEqual({
        id,
        status: 'pending',
        created: false,
      });
      expect(await stored()).toHaveLength(1);
    });

    it('with another body is refused, and harms neither the first nor its neighbours', async () => {
      const id = randomUUID();
      const { results } = await acceptMany({ operations: [insert(1, { id }), insert(2, { id }), insert(3)] });
      expect(results[1]).toMatchObject({ error: { code: 'IDEMPOTENCY_CONFLICT', details: { id } } });
      expect(await refusal(insert(1, { id, priority: 1 }))).toMatchObject({ code: 'IDEMPOTENCY_CONFLICT' });
      expect(idsOf(await stored())).toEqual([1, 3]);
    });

    it('is the same when only the default conflictKey was spelled out', async () => {
      const id = randomUUID();
      const upsert = { id, operationType: 'upsert', target: 'items', values: { id: 1 } };
      await accept(upsert);
      expect(await accept({ ...upsert, target: 'public.items', conflictKey: ['id'] })).toMatchObject({
        created: false,
      });
    });
  });

  describe('a bulk', () => {
    it.each<[string, unknown, string]>([
      ['null', null, 'INVALID_REQUEST'],
      ['a bare list', [], 'INVALID_REQUEST'],
      ['operations that are no list', { operations: {} }, 'INVALID_REQUEST'],
      ['another field', { operations: [], atomic: true }, 'INVALID_REQUEST'],
      [
        'one too many',
        { operations: Array.from({ length: MAX_OPERATIONS_PER_REQUEST + 1 }, () => 0) },
        'TOO_MANY_OPERATIONS',
      ],
    ])('is refused as a whole: %s', async (_, request, code) => {
      await expect(acceptMany(request)).rejects.toMatchObject({ code });
    });

    it('of nothing is answered with nothing', async () => {
      expect(await acceptMany({ operations: [] })).toEqual({ results: [] });
      expect(counting.inserts).toBe(0);
    });
  });

  it('takes operations for a column, a key and a table made just now, whatever was refused before', async () => {
    await accept(insert(1));
    const wanted = [insert(2, { values: { id: 2, extra: 1 } }), insert(4, { target: 'fresh' })];
    const refused = await acceptMany({ operations: wanted });
    expect(refused.results.map((result) => 'error' in result && result.error.code)).toEqual([
      'UNKNOWN_COLUMN',
      'UNKNOWN_TARGET',
    ]);
    await run(
      `alter table items add extra int unique; alter table items alter count type bigint; create table fresh (id int)`,
    );
    const { results } = await acceptMany({
      operations: [
        insert(2, { values: { id: 2, extra: 1 } }),
        insert(3, { values: { id: 3, count: '3000000000' } }),
        insert(4, { target: 'fresh' }),
        { operationType: 'delete', target: 'items', key: { extra: 1 } },
        insert(5, { values: { nope: 5 } }),
      ],
    });
    expect(results.map((result) => ('error' in result ? result.error.code : result.status))).toEqual([
      'pending',
      'pending',
      'pending',
      'pending',
      'UNKNOWN_COLUMN',
    ]);
  });

  it('suggests names for the first few unknown columns of each request, whatever others send at the time', async () => {
    const columns = Array.from({ length: 50 }, (_, i) => `amount_${i}_of_order`);
    await run(`alter table items ${columns.map((name) => `add ${name} int`).join(', ')}`);
    const misspelt = columns.map((name, i) => insert(i, { values: { [name.replace('order', 'ordre')]: 1 } }));
    const hintsOf = async () => {
      const { results } = await acceptMany({ operations: misspelt });
      return results.map((result) => 'error' in result && result.error.details?.nearest);
    };
    const alone = await hintsOf();
    expect(alone.slice(0, 20)).toEqual(columns.slice(0, 20));
    expect(alone.slice(20)).toEqual(Array<undefined>(30).fill(undefined));
    const [first, second, single] = await Promise.all([hintsOf(), hintsOf(), refusal(misspelt[49])]);
    expect([first, second]).toEqual([alone, alone]);
    expect(single).toMatchObject({ code: 'UNKNOWN_COLUMN', details: { nearest: columns[49] } });
  });

  it('says which table was meant, of those that the caller may know of', async () => {
    await run('create schema if not exists hints; create table hints.ledgers (id int primary key)');
    await run('create table if not exists parcels (id int primary key); create view parcel_view as select 1 as id');
    const hintOf = async (target: string, access?: Access) => {
      const { results } = await acceptMany({ operations: [insert(1, { target })] }, access);
      const [result] = results;
      return result !== undefined && 'error' in result ? result.error : result;
    };
    expect(await hintOf('parcles')).toEqual({
      status: 'error',
      code: 'UNKNOWN_TARGET',
      message: 'There is no table "parcles"; did you mean "parcels"?',
      details: { target: 'parcles', nearest: 'parcels' },
    });
    expect(await hintOf('Parcels')).toMatchObject({ details: { nearest: 'parcels' } });
    expect(await hintOf('nothing_like_it')).toMatchObject({
      message: expect.stringContaining('Write table') as string,
    });
    expect(await hintOf('parcel_view')).toMatchObject({ message: expect.stringContaining('is a view') as string });
    // Not allowed by BATCH_ALLOWED_TARGETS.
    expect(await hintOf('ledgers')).not.toHaveProperty('details.nearest');
    const targets = TargetList.ofKey(['parcles']);
    const limited: Access = { keyId: 'x', scopes: ['write'], targets, sources: undefined };
    expect(await hintOf('parcles', limited)).toMatchObject({ code: 'UNKNOWN_TARGET', details: { target: 'parcles' } });
    expect(await hintOf('parcles', limited)).not.toHaveProperty('details.nearest');
  });

  it('wakes the poller after it has stored operations, and only then', async () => {
    let woken = 0;
    let storedWhenWoken = -1;
    const id = randomUUID();
    const looks: Promise<void>[] = [];
    wakeUp.onOperationsAccepted(() => {
      woken++;
      looks.push(stored().then((rows) => void (storedWhenWoken = rows.length)));
    });
    await Promise.all([accept(insert(1, { id })), accept(insert(2))]);
    await Promise.all(looks);
    expect([woken, storedWhenWoken]).toEqual([1, 2]);
    await accept(insert(1, { id }));
    await refusal(insert(3, { target: 'no_such_table' }));
    expect(woken).toBe(1);
  });

  describe('when the database fails', () => {
    it('tells every caller of the flush that repeating is safe, stores nothing, and goes on afterwards', async () => {
      const ids = [randomUUID(), randomUUID()];
      await run('alter table batch.pending rename to pending_gone');
      const failures = await Promise.all(ids.map((id, i) => refusal(insert(i, { id }))));
      expect(failures).toMatchObject(ids.map((id) => ({ code: 'SERVICE_UNAVAILABLE', details: { id } })));
      await expect(acceptMany({ operations: [insert(8), insert(9)] })).rejects.toMatchObject({
        code: 'SERVICE_UNAVAILABLE',
      });
      await run('alter table batch.pending_gone rename to pending');
      expect(await stored()).toEqual([]);
      const again = await Promise.all(ids.map((id, i) => accept(insert(i, { id }))));
      expect(again).toMatchObject(ids.map((id) => ({ id, created: true })));
    });

    it('gets over a connection that breaks in the middle of a flush, while others wait behind it', async () => {
      await accept(insert(0));
      const blocker = await database.client.connect();
      try {
        await blocker.query('begin; lock table batch.operations in access exclusive mode');
        const broken = refusal(insert(1));
        const pid = await eventually(async () => {
          const { rows } = await run(
            `select pid from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`,
          );
          expect(rows).toHaveLength(1);
          return (rows[0] as { pid: number }).pid;
        });
        const behind = [accept(insert(2)), accept(insert(3))];
        await database.client.query('select pg_terminate_backend($1)', [pid]);
        expect(await broken).toMatchObject({ code: 'SERVICE_UNAVAILABLE' });
        await blocker.query('commit');
        await Promise.all(behind);
      } finally {
        blocker.release(true);
      }
      expect(idsOf(await stored())).toEqual([0, 2, 3]);
    });

    it('finds the one operation that cannot be kept, and stores the rest in order', async () => {
      await run(`alter table batch.operations add constraint poison check (not "values" @> '["poison"]')`);
      try {
        const operations = Array.from({ length: 9 }, (_, i) =>
          insert(i, i === 5 ? { values: { id: i, note: 'poison' } } : {}),
        );
        const { results } = await acceptMany({ operations });
        expect(results.map((result) => 'error' in result)).toEqual(operations.map((_, i) => i === 5));
        expect(results[5]).toMatchObject({ error: { code: 'INVALID_VALUE' } });
        expect(idsOf(await stored())).toEqual([0, 1, 2, 3, 4, 6, 7, 8]);
      } finally {
        await run('alter table batch.operations drop constraint poison');
      }
    });
  });

  it('has stored all that was handed over when the shutdown goes on', async () => {
    const calls = Array.from({ length: 50 }, (_, i) => accept(insert(i)));
    await intake.beforeApplicationShutdown();
    expect(await stored()).toHaveLength(50);
    await Promise.all(calls);
  });
});
