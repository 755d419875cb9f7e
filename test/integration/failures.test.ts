import { randomUUID } from 'node:crypto';
import type { DataSource } from 'typeorm';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { OperationPollerService } from '../../src/jobs/operation-poller.service.js';
import { FULL_ACCESS } from '../../src/services/access/access.js';
import { BacklogService } from '../../src/services/backpressure/backlog.service.js';
import { CatalogService } from '../../src/services/catalog/catalog.service.js';
import { createDataSource } from '../../src/services/database/data-source.js';
import { DatabaseService } from '../../src/services/database/database.service.js';
import { BugsService } from '../../src/services/health/bugs.service.js';
import { HealthService } from '../../src/services/health/health.service.js';
import { IntakeService } from '../../src/services/intake/intake.service.js';
import { MetricsService } from '../../src/services/observability/metrics.service.js';
import { LaneRegisterService } from '../../src/services/queue/lane-register.service.js';
import { ShapesService } from '../../src/services/queue/shapes.service.js';
import { QueueService } from '../../src/services/queue/queue.service.js';
import { LaneWatchService } from '../../src/services/waiting/lane-watch.service.js';
import { WakeUpService } from '../../src/services/wake-up/wake-up.service.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';
import { eventually } from '../support/eventually.js';
import { asAdministrator } from '../support/test-databases.js';
import { testSettings } from '../support/test-settings.js';
import { openWorker, type TestWorker } from '../support/worker.js';
import { insert } from './support/fault-cases.js';
import { drain, EMPTY_QUEUE, toNewOperation, verdicts } from './support/queue-session.js';

const FOREVER = new AbortController().signal;

describe('an operation in execution', () => {
  let database: TestDatabase;
  let worker: TestWorker;

  beforeAll(async () => {
    database = await createTestDatabase();
    await database.client.query(`
      create table note (id int primary key);
      create table bystander (id int primary key)`);
  });
  beforeEach(async () => {
    worker = await openWorker(database, { BATCH_LANE_RETRY_LIMIT: '3' });
  });
  afterEach(async () => {
    await worker.close();
    await database.client.query(`
      drop trigger if exists poison on note; drop function if exists poison() cascade; delete from note; delete from bystander;
      ${EMPTY_QUEUE}`);
  });
  afterAll(() => database?.drop());

  const poison = (body: string, when = 'before insert on note for each row') =>
    database.client.query(`
      create function poison() returns trigger language plpgsql as $$ begin ${body} return new; end $$;
      create trigger poison ${when} execute function poison()`);
  const raise = (sqlState: string) => `raise exception 'poisoned' using errcode = '${sqlState}';`;
  const faults = () => worker.faults.list();

  /** Polls as often as it takes to park a lane, and no more. */
  async function pollOften(): Promise<void> {
    for (let polls = 0; polls < 8; polls += 1) {
      await worker.job.poll(FOREVER).catch(() => undefined);
      await database.client.query('update batch.lane_blocks set next_try_at = now()');
      await worker.recovery.poll(FOREVER).catch(() => undefined);
    }
  }

  describe.each([
    ['XX000', 'an internal error of the server'],
    ['XX001', 'data that are damaged on the disk'],
    ['55006', 'an object that another session uses'],
    ['25P04', 'a transaction that took too long'],
    ['58030', 'an error of the disk'],
    ['53100', 'a full disk'],
  ])('that meets %s, %s', (sqlState) => {
    it('is not blamed: its lane waits, visibly', async () => {
      await poison(`if new.id = 666 then ${raise(sqlState)} end if;`);
      const [first, poisoned, last] = [1, 666, 2].map((id) => toNewOperation(insert('note', { id })));
      await worker.queue.enqueue([first!, poisoned!, last!]);
      await pollOften();
      expect(await verdicts(database)).toEqual(['completed 1', 'pending 0 attempts', 'pending 0 attempts']);
      expect(await faults()).toEqual([
        expect.objectContaining({ operationId: poisoned!.id, sqlState, parkedAt: expect.any(String) as string }),
      ]);
    });
  });

  describe.each(['55000', 'UE001'])('that meets %s, whose cause PostgreSQL does not name', (sqlState) => {
    it('fails when it fails alone and the statement without it passes', async () => {
      await poison(`if new.id = 666 then ${raise(sqlState)} end if;`);
      await worker.queue.enqueue([1, 666, 2].map((id) => toNewOperation(insert('note', { id }))));
      await drain(database, worker);
      expect(await verdicts(database)).toEqual(['completed 1', `failed 0 DATABASE_ERROR ${sqlState}`, 'completed 1']);
    });

    it('is not blamed when the statement fails without it as well', async () => {
      await poison(raise(sqlState), 'before insert on note for each statement');
      await worker.queue.enqueue([
        toNewOperation(insert('note', { id: 1 })),
        toNewOperation(insert('note', { id: 2 })),
      ]);
      await pollOften();
      expect(await verdicts(database)).toEqual(['pending 0 attempts', 'pending 0 attempts']);
      expect(await faults()).toEqual([expect.objectContaining({ sqlState })]);
    });

    it('is not blamed when it passes the second time', async () => {
      await database.client.query('create sequence tries');
      await poison(`if nextval('tries') = 1 then ${raise(sqlState)} end if;`);
      await worker.queue.enqueue([toNewOperation(insert('note', { id: 1 }))]);
      await drain(database, worker).finally(() => database.client.query('drop sequence tries cascade'));
      expect(await verdicts(database)).toEqual(['completed 1']);
    });
  });
});

describe('an operation that makes the service itself fail', () => {
  let database: TestDatabase;
  const workers: TestWorker[] = [];

  beforeAll(async () => {
    database = await createTestDatabase();
    await database.client.query(`
      create table note (id int primary key);
      create table bystander (id int primary key);
      alter table batch.shapes drop constraint shapes_type_check`);
  });
  afterEach(async () => {
    for (const worker of workers.splice(0)) await worker.close();
    await database.client.query(`delete from note; delete from bystander; ${EMPTY_QUEUE}`);
  });
  afterAll(() => database?.drop());

  async function open(): Promise<TestWorker> {
    const worker = await openWorker(database, { BATCH_LANE_RETRY_LIMIT: '3' });
    workers.push(worker);
    return worker;
  }
  const faults = (worker: TestWorker) => worker.faults.list();

  /** As a newer version might have stored it: the composer knows no such type and makes no statement, which the driver refuses. */
  async function enqueuePoisoned(worker: TestWorker): Promise<string> {
    const operations = [insert('note', { id: 1 }), insert('note', { id: 666 }), insert('note', { id: 2 })];
    const [first, poisoned, last] = operations.map((operation) => toNewOperation(operation));
    const others = [1, 2, 3].map((id) => toNewOperation(insert('bystander', { id })));
    await worker.queue.enqueue([first!, others[0]!, poisoned!, others[1]!, last!, others[2]!]);
    await setType('merge', poisoned!.id);
    return poisoned!.id;
  }

  async function setType(type: string, id: string): Promise<void> {
    const { rows } = await database.client.query<{ id: number }>(
      `insert into batch.shapes (hash, type, target, key_columns, value_columns, documents, by_column, on_conflict, must_exist)
       select gen_random_uuid(), $1, target, key_columns, value_columns, documents, by_column, on_conflict, must_exist
       from batch.shapes where id = (select shape from batch.operations where id = $2)
       returning id`,
      [type, id],
    );
    await database.client.query(
      `with o as (update batch.operations set shape = $1 where id = $2 returning seq)
       update batch.pending p set shape = $1 from o where p.seq = o.seq`,
      [rows[0]!.id, id],
    );
  }

  async function pollOften(worker: TestWorker, recoveries = 0): Promise<void> {
    for (let polls = 0; polls < 10; polls += 1) await worker.job.poll(FOREVER).catch(() => undefined);
    for (let polls = 0; polls < recoveries; polls += 1) {
      await database.client.query('update batch.lane_blocks set next_try_at = now()');
      await worker.recovery.poll(FOREVER).catch(() => undefined);
    }
  }

  const DONE = 'completed 1';
  const WAITS = 'pending 0 attempts';

  it('stops its own lane only, is blamed for nothing, and never parked', async () => {
    const worker = await open();
    const id = await enqueuePoisoned(worker);
    await pollOften(worker, 6);
    expect(await verdicts(database)).toEqual([DONE, DONE, WAITS, DONE, WAITS, DONE]);
    const [fault] = await faults(worker);
    expect(fault).toMatchObject({ kind: 'bug', operationId: id, failures: 7, message: expect.any(String) as string });
    expect(fault).not.toHaveProperty('parkedAt');
    const inMinutes = (Date.parse(fault!.nextTryAt!) - Date.now()) / 60_000;
    expect(inMinutes).toBeGreaterThan(40);
    expect(inMinutes).toBeLessThan(61);
  });

  it('is counted and shown by readiness, and the process stays ready', async () => {
    const worker = await open();
    await enqueuePoisoned(worker);
    await pollOften(worker);
    const { body } = await worker.metrics.render();
    expect(Number(/^batch_bugs_total\{place="chunk"\} (\d+)$/m.exec(body)?.[1])).toBeGreaterThan(0);
    expect(await worker.health.readiness()).toMatchObject({
      status: 'ready',
      parts: {
        service: { status: 'degraded', reason: expect.stringMatching(/bug of its own .*chunk: TypeError/) as string },
      },
    });
  });

  it('is tried at once by a process that starts, which may be the version with the cure', async () => {
    const worker = await open();
    await worker.recovery.poll(FOREVER);
    const id = await enqueuePoisoned(worker);
    await pollOften(worker);
    await worker.recovery.poll(FOREVER);
    expect((await faults(worker))[0]?.failures).toBe(1);
    const unchanged = await open();
    await expect(unchanged.recovery.poll(FOREVER)).rejects.toThrow(TypeError);
    expect((await faults(worker))[0]?.failures).toBe(2);
    await unchanged.recovery.poll(FOREVER);
    expect((await faults(worker))[0]?.failures).toBe(2);

    await setType('insert', id);
    const cured = await open();
    await drain(database, cured);
    expect(await verdicts(database)).toEqual(Array(6).fill(DONE));
    expect(await faults(cured)).toEqual([]);
  });

  it('is a reason to start the process anew when every poll has met one for BATCH_STUCK_TIMEOUT', async () => {
    const worker = await open();
    const settings = testSettings({ ...database.environment, REDIS_URL: '', BATCH_STUCK_TIMEOUT: '1000' });
    const { job, lightLanes, recovery, lanes, health, database: ofWorker } = worker;
    const poller = new OperationPollerService(
      job,
      lightLanes,
      recovery,
      new LaneWatchService(ofWorker, lanes),
      lanes,
      ofWorker,
      settings,
      new WakeUpService(settings),
      health,
    );
    job.afterFailure(new TypeError('x is not a function'), 1);
    job.afterFailure(new TypeError('x is not a function'), 2);
    expect(poller.stuck()).toBeUndefined();
    await eventually(() => expect(poller.stuck()).toMatch(/^every poll has met a bug of the service for 1 s/));
    job.afterFailure(Object.assign(new Error('gone'), { code: 'ECONNREFUSED' }), 3);
    expect(poller.stuck()).toBeUndefined();
    job.afterFailure(new TypeError('x is not a function'), 4);
    await job.poll(FOREVER);
    expect(job.failsByBugsForMs).toBe(0);
  });

  it('lets its lane go on when it is cancelled', async () => {
    const worker = await open();
    const id = await enqueuePoisoned(worker);
    await pollOften(worker);
    await worker.queue.cancel(id);
    await drain(database, worker);
    expect((await verdicts(database)).toSpliced(2, 1)).toEqual(Array(5).fill(DONE));
  });
});

describe('an operation at the intake', () => {
  let database: TestDatabase;
  let dataSource: DataSource;
  let intake: IntakeService;
  let metrics: MetricsService;

  beforeAll(async () => {
    database = await createTestDatabase();
    await database.client.query('create table items (id int primary key)');
    const settings = testSettings({ ...database.environment, REDIS_URL: '' });
    dataSource = await createDataSource(settings).initialize();
    const service = new DatabaseService(dataSource);
    const catalog = new CatalogService(service, settings);
    metrics = new MetricsService();
    intake = new IntakeService(
      catalog,
      new QueueService(service, new LaneRegisterService(service, catalog), new ShapesService(service), settings),
      new WakeUpService(settings),
      metrics,
      new BacklogService(service, metrics, settings),
      new BugsService(metrics, new HealthService()),
      settings,
    );
  });
  afterAll(async () => {
    await dataSource?.destroy();
    await database?.drop();
  });

  const request = (id: number) => ({ id: randomUUID(), operationType: 'insert', target: 'items', values: { id } });
  const codes = async (count: number): Promise<string[]> => {
    const operations = Array.from({ length: count }, (_, id) => request(id));
    const settled = await Promise.allSettled(operations.map((operation) => intake.accept(operation, FULL_ACCESS)));
    return settled.map((answer) =>
      answer.status === 'fulfilled' ? answer.value.status : (answer.reason as { code: string }).code,
    );
  };

  it('is not refused while the database accepts no connections', async () => {
    // The second time its table is known.
    expect([...(await codes(1)), ...(await codes(1))]).toEqual(['pending', 'pending']);
    await asAdministrator(database.connection, async (administrator) => {
      await administrator.query(`alter database ${database.name} with allow_connections false`);
      await administrator.query(
        `select pg_terminate_backend(pid) from pg_stat_activity where datname = '${database.name}'`,
      );
      try {
        expect(await codes(1)).toEqual(['SERVICE_UNAVAILABLE']);
        expect(new Set(await codes(50))).toEqual(new Set(['SERVICE_UNAVAILABLE']));
      } finally {
        await administrator.query(`alter database ${database.name} with allow_connections true`);
      }
    });
    expect(new Set(await codes(50))).toEqual(new Set(['pending']));
  });

  it('that makes the service itself fail is answered so, and spoils no other', async () => {
    let reads = 0;
    const poisoned = {
      ...request(666),
      values: {
        // Read by the check of the request first, and then by what is to be shown.
        get id() {
          if ((reads += 1) > 2) throw new TypeError('a bug');
          return 666;
        },
      },
    };
    const settled = await Promise.allSettled(
      [request(100), poisoned, request(101)].map((each) => intake.accept(each, FULL_ACCESS)),
    );
    expect(settled).toMatchObject([
      { status: 'fulfilled', value: { status: 'pending' } },
      { status: 'rejected', reason: { code: 'INTERNAL_ERROR' } },
      { status: 'fulfilled', value: { status: 'pending' } },
    ]);
    expect((await metrics.render()).body).toMatch(/^batch_bugs_total\{place="intake"\} [1-9]/m);
  });

  it.each(['55000', 'XX001', '54000', 'UE001'])(
    'is not refused for %s, whatever stands in the way of storing it',
    async (sqlState) => {
      await database.client.query(`
        create function full_up() returns trigger language plpgsql as $$ begin
          raise exception 'no' using errcode = '${sqlState}'; end $$;
        create trigger full_up before insert on batch.operations for each row execute function full_up()`);
      try {
        expect(await codes(1)).toEqual(['SERVICE_UNAVAILABLE']);
        expect(await codes(3)).toEqual(Array(3).fill('SERVICE_UNAVAILABLE'));
      } finally {
        await database.client.query('drop function full_up() cascade');
      }
    },
  );
});
