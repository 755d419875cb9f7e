import type pg from 'pg';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { CatalogService } from '../../src/services/catalog/catalog.service.js';
import { createDataSource } from '../../src/services/database/data-source.js';
import { DatabaseService } from '../../src/services/database/database.service.js';
import { startTestApp, type TestApp } from '../support/app.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';
import { testSettings } from '../support/test-settings.js';

/** `locked` has whatever PostgreSQL tells of a table only under its lock: a default, a generated column, a check. */
const SCHEMA = `
  create table locked (
    id int primary key, n int not null default 1 check (n >= 0), m int, twice int generated always as (m * 2) stored,
    at timestamptz default now(), number int default nextval('numbers')
  );
  create table free (id int primary key, n int check (n between 0 and 5))`;
/** Far less than a lock is waited for (BATCH_LOCK_TIMEOUT, ten seconds). */
const SOON_MS = 3000;

/** Locks the table as an ALTER does that takes long. */
async function lock(client: pg.Pool): Promise<() => Promise<void>> {
  const session = await client.connect();
  await session.query('begin; lock table locked in access exclusive mode');
  return async () => {
    await session.query('rollback');
    session.release();
  };
}

describe('a table that another session has locked', () => {
  let service: TestApp;
  let unlock: (() => Promise<void>) | undefined;

  beforeEach(async () => {
    service = await startTestApp(
      { BATCH_ROLE: 'all', BATCH_SERVICE_RMQ_URL: '', REDIS_URL: '' },
      { schema: `create sequence numbers; ${SCHEMA}` },
    );
    unlock = await lock(service.database.client);
  });
  afterEach(async () => {
    await unlock?.();
    await service.close();
  });

  const insert = (target: string, id: number) => ({ operationType: 'insert', target, values: { id } });
  const post = async (path: string, body: object): Promise<unknown> => {
    const response = await fetch(`${service.url}/api/v1/operations${path}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
    return response.json();
  };

  it('holds up no request for another table, and none for itself', { timeout: 30_000 }, async () => {
    const startedAt = performance.now();
    const answers = await Promise.all([
      post('', insert('locked', 1)),
      post('', insert('free', 1)),
      post('/bulk', { operations: [insert('locked', 2), insert('free', 2)] }),
    ]);
    expect(performance.now() - startedAt).toBeLessThan(SOON_MS);
    expect(answers).toMatchObject([
      { created: true },
      { created: true },
      { results: [{ created: true }, { created: true }] },
    ]);
  });

  it('holds up no operation on another table', { timeout: 30_000 }, async () => {
    const { id } = (await post('', insert('free', 1))) as { id: string };
    const response = await fetch(`${service.url}/api/v1/operations/${id}?wait=${SOON_MS}`);
    expect(await response.json()).toMatchObject({ status: 'completed' });
  });
});

describe('the catalog', () => {
  let database: TestDatabase;
  let catalog: CatalogService;
  let close: () => Promise<void>;

  beforeAll(async () => {
    database = await createTestDatabase();
    await database.client.query(`create sequence numbers; ${SCHEMA}`);
    const settings = testSettings({ ...database.environment, REDIS_URL: '' });
    const dataSource = await createDataSource(settings).initialize();
    catalog = new CatalogService(new DatabaseService(dataSource), settings);
    close = () => dataSource.destroy();
  });
  afterAll(async () => {
    await close();
    await database.drop();
  });

  it('knows the same of a locked table and of one that is not, but for what its checks say', async () => {
    const before = await catalog.table('locked');
    const unlock = await lock(database.client);
    try {
      catalog.invalidate();
      const startedAt = performance.now();
      const { columns, ...during } = await catalog.table('locked');
      expect(performance.now() - startedAt).toBeLessThan(SOON_MS);
      expect({ ...during, columns: before.columns }).toEqual(before);
      expect(before.columns.get('n')!.constraintFreedom).toBe('rangeChecked');
      // As strict as can be: it costs speed only.
      expect(columns.get('n')).toEqual({ ...before.columns.get('n'), constraintFreedom: 'constrained' });
      for (const name of ['id', 'm', 'twice', 'at', 'number'])
        expect(columns.get(name)).toEqual(before.columns.get(name));
    } finally {
      await unlock();
    }
  });

  it('knows the checks of another table that it reads together with a locked one', async () => {
    const unlock = await lock(database.client);
    try {
      catalog.invalidate();
      const tables = await catalog.tables(['locked', 'free']);
      expect(tables.get('free')).toMatchObject({ id: 'public.free' });
      expect((await catalog.table('free')).columns.get('n')!.constraintFreedom).toBe('rangeChecked');
    } finally {
      await unlock();
    }
  });
});
