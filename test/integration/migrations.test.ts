import pg from 'pg';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { migrate } from '../../src/services/database/migrate.js';
import { MigrationFailedError } from '../../src/services/database/migration-failed.error.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';
import { eventually } from '../support/eventually.js';
import { clientOptions } from '../support/test-databases.js';
import { testSettings, type TestEnvironment } from '../support/test-settings.js';
import { uniqueName } from '../support/unique-name.js';

const LOCK = `hashtext('batch-service.migrations')`;

describe('the migrations', () => {
  let database: TestDatabase;
  /** Of somebody else, who is in the way. */
  let other: pg.Client;
  let log: string[];
  beforeEach(async () => {
    database = await createTestDatabase();
    other = new pg.Client({ ...clientOptions(database.connection), application_name: 'somebody' });
    await other.connect();
    log = [];
  });
  afterEach(async () => {
    await other.end();
    await database.drop();
  });

  const run = (environment: TestEnvironment = {}): Promise<string[]> =>
    migrate(testSettings({ ...database.environment, ...environment }), (line) => log.push(line));
  const failure = (environment: TestEnvironment = {}): Promise<MigrationFailedError> =>
    run(environment).then(
      () => expect.fail('it did not fail'),
      (error: unknown) => {
        expect(error).toBeInstanceOf(MigrationFailedError);
        return error as MigrationFailedError;
      },
    );

  async function pidOfOther(): Promise<number> {
    const { rows } = await other.query<{ pid: number }>('select pg_backend_pid() as pid');
    return rows[0]!.pid;
  }

  const takeBack = () => database.client.query('drop schema batch cascade');

  it('wait for another process that migrates, whatever the time-outs of statements and locks are', async () => {
    await takeBack();
    await other.query(`select pg_advisory_lock(${LOCK})`);
    const migrated = run({ BATCH_STATEMENT_TIMEOUT: '100', BATCH_LOCK_TIMEOUT: '100' });
    await eventually(() => expect(log).not.toEqual([]));
    const finished = await Promise.race([migrated.then(() => true), pause(1000).then(() => false)]);

    expect(finished).toBe(false);
    expect(log[0]).toMatch(
      /^Another process migrates this database; waiting 600 s more for it: pid \d+ \(somebody, user /,
    );
    expect(log[0]).toContain(`pid ${await pidOfOther()} `);
    await other.query(`select pg_advisory_unlock(${LOCK})`);
    expect(await migrated).toEqual(['InitialSchema1764800000000', 'batch engine 1']);
  });

  it('give up the wait at the deadline, and say who migrates', async () => {
    await other.query(`select pg_advisory_lock(${LOCK})`);
    const { message } = await failure({ DB_MIGRATION_WAIT_TIMEOUT: '300' });

    expect(message).toMatch(/another process migrates this database.*0\.3 s \(DB_MIGRATION_WAIT_TIMEOUT\)/);
    expect(message).toContain(`pid ${await pidOfOther()} (somebody`);
  });

  it('leave nothing behind when they fail, name the statement, and can be run again', async () => {
    await takeBack();
    await database.client.query('create schema batch; create table batch.lanes ()');
    const { message } = await failure();
    expect(message).toMatch(
      /^migration InitialSchema1764800000000 failed at the statement "create table batch\.lanes .*": relation "lanes" already exists\. /,
    );
    const { rows } = await database.client.query(
      `select tablename from pg_tables where schemaname = 'batch' and tablename <> 'migrations'`,
    );
    expect(rows).toEqual([{ tablename: 'lanes' }]);

    await database.client.query('drop table batch.lanes');
    expect(await run()).toEqual(['InitialSchema1764800000000', 'batch engine 1']);
  });

  it('wait two seconds for a lock at most, and say so', async () => {
    await takeBack();
    await database.client.query('create schema batch');
    await other.query('begin; create table batch.lanes ()');
    const { message } = await failure();
    await other.query('rollback');

    expect(message).toMatch(/InitialSchema\d+ failed .*canceling statement due to lock timeout.*then migrate again/);
    expect(message).not.toMatch(/DB_NAME|\n/);
    expect(await run()).toEqual(['InitialSchema1764800000000', 'batch engine 1']);
  });

  it('say which right is missing, and whose', async () => {
    const role = uniqueName('role');
    await takeBack();
    await database.client.query(`create role ${role} login password 'secret'`);
    const { message } = await failure({ DB_MIGRATION_USERNAME: role, DB_MIGRATION_PASSWORD: 'secret' });
    await database.client.query(`drop owned by ${role}; drop role ${role}`);

    expect(message).toMatch(
      /the creation of schema batch failed .*permission denied for database.*"role_\w+" lacks a right.*DB_MIGRATION_USERNAME/,
    );
  });

  it('say that the connection was lost, and can be run again', async () => {
    await takeBack();
    await database.client.query('create schema batch');
    await other.query('begin; create table batch.lanes ()');
    const failed = failure();
    await eventually(async () => {
      const { rows } = await database.client.query(
        `select pg_terminate_backend(pid) from pg_stat_activity
         where datname = current_database() and application_name = 'batch-service-migration' and wait_event_type = 'Lock'`,
      );
      expect(rows).toHaveLength(1);
    });

    expect((await failed).message).toMatch(/InitialSchema.*terminat.*The connection was lost/);
    await other.query('rollback');
    expect(await run()).toEqual(['InitialSchema1764800000000', 'batch engine 1']);
  });

  it('need no right to create anything where nothing is missing', async () => {
    const role = uniqueName('role');
    await database.client.query(`
      create role ${role} login password 'secret';
      grant usage on schema batch to ${role};
      grant select on batch.migrations, batch.batch_schema_versions to ${role}`);
    expect(await run({ DB_USERNAME: role, DB_PASSWORD: 'secret' })).toEqual([]);
    await database.client.query(`drop owned by ${role}; drop role ${role}`);
  });
});

/** Longer than the time-outs that must not count. */
function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
