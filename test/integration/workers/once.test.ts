import { pino } from 'pino';
import type { EntityManager } from 'typeorm';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Databases } from '../../../src/worker/databases/databases.js';
import { Once } from '../../../src/worker/once/once.js';
import { loadWorkerSettings } from '../../../src/worker/settings/load-worker-settings.js';
import { createTestDatabase, type TestDatabase } from '../../support/database.js';
import { eventually } from '../../support/eventually.js';
import { uniqueName } from '../../support/unique-name.js';
import { databaseConfig } from '../../support/workers/test-worker.js';

describe('once', () => {
  let database: TestDatabase;
  let databases: Databases;
  let once: Once;

  const open = (user?: { username: string; password: string }): Promise<Databases> => {
    const DATABASE_CONFIG = databaseConfig({ default: { ...database.connection, ...user } });
    const settings = loadWorkerSettings({ WORKER_NAME: 'w', REDIS_URL: 'redis://127.0.0.1', DATABASE_CONFIG });
    return Databases.open(settings, pino({ level: 'silent' }));
  };

  beforeAll(async () => {
    database = await createTestDatabase({ migrated: false });
    await database.client.query('create table effects (target text not null)');
    databases = await open();
    once = new Once(databases, 'w');
  });
  afterAll(async () => {
    await databases?.onApplicationShutdown();
    await database?.drop();
  });

  const write = (target: string) => (tx: EntityManager) => tx.query('insert into effects values ($1)', [target]);
  const effects = async (target: string): Promise<number | null> =>
    (await database.client.query('select from effects where target = $1', [target])).rowCount;
  const blocked = () =>
    eventually(async () => {
      const { rowCount } = await database.client.query(
        `select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock' and query like 'insert into batch_worker%'`,
      );
      expect(rowCount).toBe(1);
    });

  it.each([
    ['returns the result of the first one when that commits', false, { results: ['first', 'first'], effects: 1 }],
    ['runs when the first one rolls back', true, { results: ['refused', 'second'], effects: 1 }],
  ])('makes a second run of the same key wait, and it %s', async (_, fails, expected) => {
    const key = { type: 'pay', targetId: uniqueName('order') };
    let goOn = (): void => undefined;
    const held = new Promise<void>((resolve) => (goOn = resolve));
    let begun = (): void => undefined;
    const inside = new Promise<void>((resolve) => (begun = resolve));
    const first = once.run(key, async (tx) => {
      await write(key.targetId)(tx);
      begun();
      await held;
      if (fails) throw new Error('refused');
      return 'first';
    });
    const told = first.catch((error: Error) => error.message);
    await inside;
    const second = once.run(key, async (tx) => {
      await write(key.targetId)(tx);
      return 'second';
    });
    await blocked();
    goOn();

    const results = await Promise.all([told, second]);

    expect({ results, effects: await effects(key.targetId) }).toEqual(expected);
  });

  it('takes the same target of another type for another job', async () => {
    const targetId = uniqueName('order');
    await once.run({ type: 'pay', targetId }, write(targetId));
    await once.run({ type: 'refund', targetId }, write(targetId));

    expect(await effects(targetId)).toBe(2);
  });

  it('makes the tables once, when several processes start at the same time', async () => {
    await database.client.query('drop schema if exists batch_worker cascade');

    await Promise.all(Array.from({ length: 4 }, () => new Once(databases, 'w').ensureTables('default')));

    expect((await database.client.query('select from batch_worker.done_jobs')).rowCount).toBe(0);
  });

  it('needs no right to create anything where the tables are there, and says what is missing where they are not', async () => {
    const username = uniqueName('clerk');
    const user = { username, password: 'clerk-password' };
    await database.client.query(`create role ${username} login password 'clerk-password'`);
    const limited = await open(user);
    try {
      await database.client.query('drop schema if exists batch_worker cascade');
      await expect(new Once(limited, 'w').ensureTables('default')).rejects.toMatchObject({
        code: 'DATABASE_RIGHTS_MISSING',
        message: expect.stringContaining('"default" has no schema batch_worker'),
      });
      await new Once(databases, 'w').ensureTables('default');
      await database.client.query(`grant usage on schema batch_worker to ${username};
        grant select, insert, update on all tables in schema batch_worker to ${username}`);

      expect(await new Once(limited, 'w').run({ type: 'pay', targetId: 'x' }, async () => 1)).toBe(1);
    } finally {
      await limited.onApplicationShutdown();
      await database.client.query(`drop owned by ${username}; drop role ${username}`);
    }
  });

  it('names the instances that there are when it is asked for another one', async () => {
    const run = once.run({ type: 'pay', targetId: 'x' }, async () => 1, { instance: 'archive' });

    await expect(run).rejects.toMatchObject({
      code: 'UNKNOWN_INSTANCE',
      message: 'There is no database instance "archive"; DATABASE_CONFIG has default',
    });
  });
});
