import { pino } from 'pino';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { isDatabaseFault, noteConnectFailure } from '../../../src/worker/databases/database-fault.js';
import { Databases } from '../../../src/worker/databases/databases.js';
import { loadWorkerSettings } from '../../../src/worker/settings/load-worker-settings.js';
import { createTestDatabase, type TestDatabase } from '../../support/database.js';
import { databaseConfig } from '../../support/workers/test-worker.js';

describe('the databases of a worker', () => {
  let database: TestDatabase;
  let lines: Record<string, unknown>[];

  const open = async (variables: NodeJS.ProcessEnv = {}): Promise<Databases> => {
    lines = [];
    const DATABASE_CONFIG = databaseConfig({ default: database.connection });
    const settings = { WORKER_NAME: 'w', REDIS_URL: 'redis://127.0.0.1', DATABASE_CONFIG, ...variables };
    const write = (line: string): void => void lines.push(JSON.parse(line) as Record<string, unknown>);
    return Databases.open(loadWorkerSettings(settings), pino({}, { write }));
  };

  beforeAll(async () => {
    database = await createTestDatabase({ migrated: false });
    await database.client.query('create table effects (target text not null)');
  });
  afterAll(() => database?.drop());

  const raise = (state: string) => `do $$ begin raise exception 'raised' using errcode = '${state}'; end $$`;

  it.each([
    ['57P01', 'pg_terminate_backend', true, 'select pg_terminate_backend(pg_backend_pid())'],
    ['57P03', 'a server that starts', true, raise('57P03')],
    ['53300', 'too many connections', true, raise('53300')],
    ['53100', 'a full disk', false, raise('53100')],
    ['53200', 'too little memory for the statement', false, raise('53200')],
    ['53400', 'a temporary file that is too large', false, raise('53400')],
    ['25006', 'a write of a user who may only read', false, "insert into effects values ('x')"],
  ])('SQLSTATE %s, %s: the database is away is %s', async (state, _what, isAway, statement) => {
    const databases = await open();
    try {
      const work = databases.get().transaction(async (tx) => {
        if (state === '25006') await tx.query('set transaction read only');
        await tx.query(statement);
      });
      const error = await work.catch((thrown: unknown) => thrown);
      expect(error).toMatchObject({ code: state });
      expect(isDatabaseFault(error)).toBe(isAway);
    } finally {
      await databases.onApplicationShutdown();
    }
  });

  it('counts as away when the server has no memory or disk for a connection', () => {
    const full = Object.assign(new Error('out of memory'), { severity: 'FATAL', code: '53200' });
    expect(isDatabaseFault(full)).toBe(false);
    noteConnectFailure(full);
    expect(isDatabaseFault(full)).toBe(true);
  });

  it.each([
    ['6', [{ level: 40, instance: 'default', poolSize: 5, concurrency: 6 }]],
    ['5', []],
    ['', []],
  ])('warns at the start with WORKER_CONCURRENCY "%s" and a pool of 5: %j', async (WORKER_CONCURRENCY, expected) => {
    const databases = await open({ WORKER_CONCURRENCY });
    await databases.onApplicationShutdown();

    expect(lines).toMatchObject(expected);
    expect(lines).toHaveLength(expected.length);
    for (const { msg } of lines) {
      expect(msg).toBe(
        'DATABASE_CONFIG: instance "default" has poolSize 5, and WORKER_CONCURRENCY is 6: jobs in runOnce wait for a ' +
          'connection, and are put off after 5 seconds; set poolSize to 6 or more',
      );
    }
  });
});
