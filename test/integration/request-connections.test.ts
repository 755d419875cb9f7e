import type pg from 'pg';
import type { DataSource } from 'typeorm';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createDataSource } from '../../src/services/database/data-source.js';
import { DatabaseService } from '../../src/services/database/database.service.js';
import { NoPlaceError } from '../../src/services/database/places.js';
import type { SqlClient } from '../../src/interfaces/sql.js';
import { sqlStateOf } from '../../src/services/database/sql-state.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';
import { eventually } from '../support/eventually.js';
import { testSettings } from '../support/test-settings.js';

describe('the connections of requests', () => {
  let database: TestDatabase;
  let holder: pg.PoolClient;
  const sources: DataSource[] = [];

  beforeAll(async () => {
    database = await createTestDatabase();
    await database.client.query('create table thing (id int primary key); insert into thing values (1)');
    holder = await database.client.connect();
  });
  afterAll(async () => {
    for (const source of sources) await source.destroy();
    holder?.release();
    await database?.drop();
  });

  async function open(environment: { DB_POOL_SIZE?: string; BATCH_LOCK_TIMEOUT?: string }): Promise<DatabaseService> {
    const source = createDataSource(testSettings({ ...database.environment, ...environment }));
    sources.push(await source.initialize());
    return new DatabaseService(source);
  }
  const waiting = async (): Promise<number> =>
    (
      await database.client.query(
        `select from pg_stat_activity where datname = current_database() and application_name = 'batch-service'
           and wait_event_type = 'Lock'`,
      )
    ).rowCount!;
  /** The row is locked while `work` runs. */
  async function whileLocked(work: () => Promise<void>): Promise<void> {
    await holder.query('begin; select from thing for update');
    try {
      await work();
    } finally {
      await holder.query('rollback');
    }
  }
  const lock = (tx: SqlClient): Promise<unknown> => tx.query({ text: 'select from thing for update' });

  it.each([
    { DB_POOL_SIZE: '10', left: 5 },
    { DB_POOL_SIZE: '5', left: 3 },
    { DB_POOL_SIZE: '3', left: 2 },
  ])('leave $left of $DB_POOL_SIZE to the service itself', async ({ DB_POOL_SIZE, left }) => {
    const service = await open({ DB_POOL_SIZE, BATCH_LOCK_TIMEOUT: '1000' });
    await whileLocked(async () => {
      const asked = Promise.allSettled(Array.from({ length: left + 7 }, () => service.requests.transaction(lock)));
      await eventually(async () => expect(await waiting()).toBe(Number(DB_POOL_SIZE) - left));
      const own = Array.from({ length: left }, () => service.query({ text: 'select pg_sleep(0.1)' }));
      await Promise.all(own);
      expect(await waiting()).toBe(Number(DB_POOL_SIZE) - left);
      await asked;
    });
  });

  it('send away after five seconds whoever found all of them taken', async () => {
    const { requests } = await open({ DB_POOL_SIZE: '3' });
    await whileLocked(async () => {
      const ended = await Promise.allSettled(Array.from({ length: 6 }, () => requests.transaction(lock)));
      const reasons = ended.map((result) => (result as PromiseRejectedResult).reason as unknown);
      // One connection, two seconds each.
      expect(reasons.map((reason) => (reason instanceof NoPlaceError ? 'no place' : sqlStateOf(reason)))).toEqual([
        '55P03',
        '55P03',
        '55P03',
        'no place',
        'no place',
        'no place',
      ]);
    });
    expect((await requests.query({ text: 'select 1' })).rowCount).toBe(1);
  });

  it.each([
    { BATCH_LOCK_TIMEOUT: '10000', atLeastMs: 1900, atMostMs: 4000 },
    { BATCH_LOCK_TIMEOUT: '50', atLeastMs: 40, atMostMs: 1500 },
  ])(
    'wait two seconds for a lock, or BATCH_LOCK_TIMEOUT: $BATCH_LOCK_TIMEOUT',
    async ({ atLeastMs, atMostMs, ...rest }) => {
      const { requests } = await open(rest);
      await whileLocked(async () => {
        const startedAt = performance.now();
        await expect(requests.transaction(lock)).rejects.toMatchObject({ code: '55P03' });
        const took = performance.now() - startedAt;
        expect(took).toBeGreaterThan(atLeastMs);
        expect(took).toBeLessThan(atMostMs);
      });
    },
  );

  it('are two at a time where a lock may be held for long', async () => {
    const { requests } = await open({ BATCH_LOCK_TIMEOUT: '500' });
    await whileLocked(async () => {
      const asked = Promise.allSettled(Array.from({ length: 5 }, () => requests.lockingTransaction(lock)));
      await eventually(async () => expect(await waiting()).toBe(2));
      // Beside them there is room.
      expect((await requests.query({ text: 'select 1' })).rowCount).toBe(1);
      expect(await waiting()).toBe(2);
      await asked;
    });
  });
});
