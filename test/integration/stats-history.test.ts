import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { DataSource } from 'typeorm';
import type { IStats, IStatsHistory } from '../../src/interfaces/stats.js';
import { createDataSource } from '../../src/services/database/data-source.js';
import { DatabaseService } from '../../src/services/database/database.service.js';
import { insertSample } from '../../src/services/outcomes/stats-samples.sql.js';
import { StatsSamplerService } from '../../src/services/outcomes/stats-sampler.service.js';
import { StatsService } from '../../src/services/outcomes/stats.service.js';
import { startTestApp } from '../support/app.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';
import { eventually } from '../support/eventually.js';
import { storeOperations } from '../support/settled-chunks.js';
import { testSettings } from '../support/test-settings.js';

let database: TestDatabase;
let dataSource: DataSource;
let service: DatabaseService;

beforeAll(async () => {
  database = await createTestDatabase();
  dataSource = await createDataSource(testSettings(database.environment)).initialize();
  service = new DatabaseService(dataSource);
});
afterAll(async () => {
  await dataSource.destroy();
  await database.drop();
});
beforeEach(async () => {
  await database.client.query(
    'truncate batch.operations, batch.pending, batch.delayed, batch.outcomes, batch.chunks, batch.stats_samples, batch.workers',
  );
});

const AT = new Date('2026-01-01T08:00:10Z');
const seconds = (count: number): Date => new Date(AT.getTime() + count * 1000);

async function sample(at: Date, recount = true): Promise<Record<string, unknown>> {
  await service.query(insertSample(at, recount));
  const { rows } = await database.client.query<Record<string, unknown>>(
    'select * from batch.stats_samples where at = $1',
    [at],
  );
  return rows[0]!;
}

async function settle(
  at: Date,
  durationMs: number,
  completed: number,
  failures: readonly string[] = [],
): Promise<void> {
  await database.client.query(
    `with chunk as (
       insert into batch.chunks (seqs, worker, operations, completed, failed, groups, statements, fallback, notify, started_at,
         settled_at, duration_ms)
       values ('{}', 'test', 1, $3, $4, 1, 1, false, false, $1, $1, $2)
     )
     insert into batch.outcomes (seq, status, settled_at, rows_affected, attempts, code)
     select (select coalesce(max(seq), 0) from batch.outcomes) + n, 'failed', $1, 0, 1, code
     from unnest($5::text[]) with ordinality c(code, n)`,
    [at, durationMs, completed, failures.length, failures],
  );
}

/** `count` operations that wait, without reading any of them later. */
async function pend(count: number): Promise<void> {
  await database.client.query(
    `insert into batch.pending (seq, shape, lane, priority) select n, 1, 0, 0 from generate_series(1, $1) n`,
    [count],
  );
}

describe('a sample of the queue', () => {
  it('tells what happened in its interval, and in no other', async () => {
    await settle(seconds(-11), 1000, 70, ['CHECK_VIOLATION']);
    await settle(seconds(-10), 10, 5);
    await settle(seconds(-5), 20, 6, ['UNIQUE_VIOLATION', 'UNIQUE_VIOLATION', 'ROW_NOT_FOUND']);
    await settle(seconds(0), 3000, 80, ['CHECK_VIOLATION']);
    expect(await sample(AT)).toMatchObject({
      ...{ chunks: 2, completed: 11, failed: 3, chunk_p50_ms: 10, chunk_p99_ms: 20 },
      failed_by_code: { UNIQUE_VIOLATION: 2, ROW_NOT_FOUND: 1 },
    });
  });

  it('counts the operations that were stored since the sample before it, and none if that is missing', async () => {
    await storeOperations(database, 3, 'shop');
    expect(await sample(AT)).toMatchObject({ accepted: null });
    await storeOperations(database, 5, 'shop');
    expect(await sample(seconds(10))).toMatchObject({ accepted: 5 });
    expect(await sample(seconds(20))).toMatchObject({ accepted: 0 });
    await storeOperations(database, 2, 'shop');
    expect(await sample(seconds(60))).toMatchObject({ accepted: null });
  });

  it('has the codes beyond the ten most frequent as one number', async () => {
    const codes = Array.from({ length: 12 }, (_, index) => `CODE_${String(index).padStart(2, '0')}`);
    await settle(seconds(-1), 1, 0, [...codes, ...codes.slice(0, 10)]);
    const { failed_by_code: byCode } = await sample(AT);
    expect(byCode).toEqual({ ...Object.fromEntries(codes.slice(0, 10).map((code) => [code, 2])), other: 2 });
  });

  it('takes over the counts of the sample before it when it does not count', async () => {
    await pend(7);
    expect(await sample(AT)).toMatchObject({ pending: '7', kept_failures: '0' });
    await database.client.query('truncate batch.pending');
    expect(await sample(seconds(10), false)).toMatchObject({ pending: '7' });
    expect(await sample(seconds(20), true)).toMatchObject({ pending: '0' });
  });
});

describe('the sampler', () => {
  it('takes one sample of an interval, however many processes there are', async () => {
    const samplers = Array.from({ length: 4 }, () => new StatsSamplerService(service));
    for (let round = 0; round < 3; round += 1) {
      const delays = await Promise.all(samplers.map((sampler) => sampler.poll()));
      for (const delay of delays) expect(delay).toBeLessThanOrEqual(10_000);
    }
    const { rows } = await database.client.query<{ intervals: number; samples: number }>(
      `select count(*)::int as samples, count(distinct date_bin('10 s', at, 'epoch'))::int as intervals from batch.stats_samples`,
    );
    expect(rows[0]!.samples).toBe(rows[0]!.intervals);
    // Two, if an interval ended meanwhile.
    expect([1, 2]).toContain(rows[0]!.samples);
  });

  it('forgets what is older than an hour', async () => {
    await sample(new Date(Date.now() - 66 * 60_000));
    await sample(new Date(Date.now() - 55 * 60_000));
    const sampler = new StatsSamplerService(service);
    await sampler.poll();
    expect((await sampler.history(60)).points).toHaveLength(2);
    const { rowCount } = await database.client.query('select from batch.stats_samples');
    expect(rowCount).toBe(2);
  });
});

describe('the history over REST', () => {
  it('is there at once, and is still there after a restart, also where another process asks', async () => {
    const environment = { BATCH_SERVICE_RMQ_URL: '', BATCH_ROLE: 'api' };
    const read = async (url: string, query = ''): Promise<IStatsHistory> =>
      (await (await fetch(`${url}/api/v1/stats/history${query}`)).json()) as IStatsHistory;
    const before = new Date(Date.now() - 20 * 60_000);
    await settle(new Date(before.getTime() - 1000), 12, 4, ['UNIQUE_VIOLATION']);
    await sample(before);
    const point = {
      ...{ at: before.toISOString(), pending: 0, scheduled: 0, lagMs: 0, workers: 0, blockedLanes: 0 },
      ...{ completed: 4, failed: 1, failedByCode: { UNIQUE_VIOLATION: 1 } },
      ...{ chunks: 1, chunkP50Ms: 12, chunkP95Ms: 12, chunkP99Ms: 12 },
    };

    const first = await startTestApp(environment, { database });
    await eventually(async () => expect((await read(first.url)).points).toHaveLength(2));
    expect(await read(first.url)).toMatchObject({ intervalMs: 10_000, points: [point, { completed: 0 }] });
    expect((await read(first.url)).points[0]).toEqual(point);
    expect((await read(first.url, '?minutes=10')).points).toHaveLength(1);
    await first.close();

    const second = await startTestApp(environment, { database });
    expect((await read(second.url)).points[0]).toEqual(point);
    expect((await fetch(`${second.url}/api/v1/stats/history?minutes=61`)).status).toBe(400);
    await second.close();
  });
});

describe('the stats', () => {
  const stats = (): Promise<IStats> => new StatsService(service).stats();

  it('are exact up to 50 000 operations', async () => {
    await pend(50_000);
    expect(await stats()).toMatchObject({ pending: 50_000, pendingIsExact: true, failed: 0, failedIsExact: true });
  });

  it('are those of the last sample beyond, and say so', async () => {
    await pend(60_000);
    expect(await stats()).toMatchObject({ pending: 50_001, pendingIsExact: false });
    await new StatsSamplerService(service).poll();
    expect(await stats()).toMatchObject({ pending: 60_000, pendingIsExact: false, scheduledIsExact: true });
  });
});
