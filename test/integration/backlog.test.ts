import type { DataSource } from 'typeorm';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { BacklogService } from '../../src/services/backpressure/backlog.service.js';
import { createDataSource } from '../../src/services/database/data-source.js';
import { DatabaseService } from '../../src/services/database/database.service.js';
import type { SqlResult, SqlStatement } from '../../src/interfaces/sql.js';
import { MetricsService } from '../../src/services/observability/metrics.service.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';
import { eventually } from '../support/eventually.js';
import { testSettings, type TestEnvironment } from '../support/test-settings.js';

const LIMIT = 100;

/** Counts the counts, and lets a test hold or fail the next ones. */
class GatedDatabase extends DatabaseService {
  counts = 0;
  gate: Promise<void> = Promise.resolve();

  override async query<Row>(statement: SqlStatement): Promise<SqlResult<Row>> {
    this.counts += 1;
    await this.gate;
    return super.query<Row>(statement);
  }
}

describe('the limit of the backlog', () => {
  let database: TestDatabase;
  let dataSource: DataSource;
  let gated: GatedDatabase;
  let metrics: MetricsService;
  let backlog: BacklogService;

  const some = (count: number): object[] => Array.from({ length: count }, () => ({}));
  const stored = (count: number): boolean[] => some(count).map(() => true);
  const serviceWith = (environment: TestEnvironment) =>
    new BacklogService(gated, metrics, testSettings({ BATCH_MAX_BACKLOG: String(LIMIT), ...environment }));

  const fill = async (pending: number, delayed = 0, reason = 'retry'): Promise<void> => {
    await database.client.query(
      'insert into batch.pending (lane, priority, seq, shape) select 1, 0, n, 1 from generate_series(1, $1::int) n',
      [pending],
    );
    await database.client.query(
      `insert into batch.delayed (seq, available_at, priority, lane, shape, reason)
       select 1000000 + n, now() + interval '1 day', 0, 1, 1, $2 from generate_series(1, $1::int) n`,
      [delayed, reason],
    );
  };
  const empty = () => database.client.query('truncate batch.pending, batch.delayed, batch.chunks');
  const outcomeOf = async (operations = 1): Promise<string | undefined> => {
    try {
      (await backlog.enter(some(operations), undefined))([]);
      return undefined;
    } catch (error) {
      return (error as { code: string }).code;
    }
  };
  /** A count that takes too long is given up, and made again for a later caller. */
  const eventuallyCounted = async (): Promise<void> => {
    while ((await metrics.render()).body.includes('batch_backlog_operations{backlog="pending"} Nan')) {
      await new Promise(setImmediate);
      if (vi.isFakeTimers()) vi.advanceTimersByTime(10);
      await outcomeOf();
    }
  };
  const gauge = async (name: 'pending' | 'scheduled'): Promise<string | undefined> =>
    new RegExp(`^batch_backlog_operations{backlog="${name}"} (.*)$`, 'm').exec((await metrics.render()).body)?.[1];
  /** As soon as a count says so; the first one is never waited for. */
  const refused = () => eventually(async () => expect(await outcomeOf()).toBe('QUEUE_FULL'));

  beforeAll(async () => {
    database = await createTestDatabase();
    dataSource = await createDataSource(testSettings({ ...database.environment, REDIS_URL: '' })).initialize();
  });
  afterAll(async () => {
    await dataSource.destroy();
    await database.drop();
  });
  beforeEach(async () => {
    await empty();
    gated = new GatedDatabase(dataSource);
    metrics = new MetricsService();
    // One party alone, and all of the limit for it.
    backlog = serviceWith({ BATCH_BACKLOG_SHARE: '100' });
  });

  afterEach(() => vi.useRealTimers());

  it('counts what is pending and what is to be tried again', async () => {
    await fill(60, 39);
    await outcomeOf();
    await eventually(async () => expect(await gauge('pending')).toBe('99'));
    expect(await outcomeOf()).toBeUndefined();
    await database.client.query('insert into batch.pending (lane, priority, seq, shape) values (1, 1, 1, 1)');
    await refused();
  });

  it('adds the operations that this process takes in, stored or not yet, until the next count', async () => {
    await fill(90);
    await outcomeOf();
    await eventuallyCounted();
    const conclude = await backlog.enter(some(10), undefined);
    await expect(backlog.enter(some(1), undefined)).rejects.toMatchObject({ code: 'QUEUE_FULL' });
    conclude(stored(4));
    expect(await gauge('pending')).toBe('94');
  });

  it('says when to come back, by how fast operations were settled lately', async () => {
    await fill(LIMIT);
    await refused();
    await expect(backlog.enter(some(1), undefined)).rejects.toMatchObject({
      details: { limit: LIMIT, retryAfterMs: 60_000 },
    });
    await database.client.query(
      `insert into batch.chunks (worker, seqs, operations, completed, failed, groups, statements, fallback, notify, started_at,
         settled_at, duration_ms)
       values ('w', '{}', 20, 20, 0, 1, 1, false, false, now(), now(), 1)`,
    );
    // Two a second, and the low mark is five below.
    await eventually(() =>
      expect(backlog.enter(some(1), undefined)).rejects.toMatchObject({
        code: 'QUEUE_FULL',
        details: { retryAfterMs: 2500 },
      }),
    );
  });

  it('takes nothing in until the queue is below its low mark, and then everything', async () => {
    await fill(LIMIT);
    await refused();
    await database.client.query('delete from batch.pending where seq <= 3');
    const { counts } = gated;
    await eventually(async () => {
      expect(await outcomeOf()).toBe('QUEUE_FULL');
      expect(gated.counts).toBeGreaterThan(counts + 1);
    });
    await database.client.query('delete from batch.pending where seq <= 10');
    await eventually(async () => expect(await outcomeOf()).toBeUndefined());
  });

  it('refuses nobody on an old count', async () => {
    vi.useFakeTimers({ toFake: ['performance'] });
    await fill(LIMIT);
    await outcomeOf();
    await eventuallyCounted();
    expect(await outcomeOf()).toBe('QUEUE_FULL');
    await empty();
    expect(await outcomeOf()).toBe('QUEUE_FULL');
    vi.advanceTimersByTime(60_000);
    expect(await outcomeOf()).toBeUndefined();
  });

  it('lets no operation overtake one that waits for a count', async () => {
    vi.useFakeTimers({ toFake: ['performance'] });
    await fill(90);
    await outcomeOf();
    await eventuallyCounted();
    const conclude = await backlog.enter(some(10), undefined);
    vi.advanceTimersByTime(60_000);
    let open!: () => void;
    gated.gate = new Promise((resolve) => (open = resolve));
    const order: number[] = [];
    const enter = (n: number) => backlog.enter(some(1), undefined).then(() => order.push(n));
    const first = enter(1);
    // Now there is room, as far as anybody knows.
    conclude([]);
    const second = enter(2);
    await new Promise(setImmediate);
    expect(order).toEqual([]);
    open();
    await Promise.all([first, second]);
    expect(order).toEqual([1, 2]);
  });

  it('refuses nobody while the count is not known', async () => {
    await fill(LIMIT);
    await refused();
    gated.gate = Promise.reject(new Error('no database'));
    gated.gate.catch(() => undefined);
    await eventually(async () => expect(await outcomeOf()).toBeUndefined());
    expect((await metrics.render()).body).toContain('\nbatch_backlog_operations{backlog="pending"} Nan\n');
  });

  it('counts nothing where there is no limit', async () => {
    const unlimited = serviceWith({ BATCH_MAX_BACKLOG: '0', BATCH_MAX_SCHEDULED: '0' });
    (await unlimited.enter(some(10_000), undefined))(stored(10_000));
    expect(gated.counts).toBe(0);
  });
});
