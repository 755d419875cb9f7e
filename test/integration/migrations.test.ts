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
const INDEX = 'outcomes_settled_at_idx';

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
  const forget = (name: string) => database.client.query(`delete from batch.migrations where name like '${name}%'`);

  async function pidOfOther(): Promise<number> {
    const { rows } = await other.query<{ pid: number }>('select pg_backend_pid() as pid');
    return rows[0]!.pid;
  }

  /** As before that migration. */
  async function takeBackFaultKind(): Promise<void> {
    await forget('AddFaultKind');
    await database.client.query('alter table batch.lane_faults drop column kind');
  }

  async function takeBackRetention(): Promise<void> {
    await forget('AddRetention');
    await database.client.query(`drop index batch.${INDEX}; alter table batch.chunks drop column unrouted`);
  }

  async function indexIsValid(): Promise<boolean | undefined> {
    const { rows } = await database.client.query<{ valid: boolean }>(
      `select indisvalid as valid from pg_index where indexrelid = to_regclass('batch.${INDEX}')`,
    );
    return rows[0]?.valid;
  }

  it('wait for another process that migrates, whatever the time-outs of statements and locks are', async () => {
    await takeBackFaultKind();
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
    expect(await migrated).toEqual(['AddFaultKind1764500000000']);
  });

  it('give up the wait at the deadline, and say who migrates', async () => {
    await other.query(`select pg_advisory_lock(${LOCK})`);
    const { message } = await failure({ DB_MIGRATION_WAIT_TIMEOUT: '300' });

    expect(message).toMatch(/another process migrates this database.*0\.3 s \(DB_MIGRATION_WAIT_TIMEOUT\)/);
    expect(message).toContain(`pid ${await pidOfOther()} (somebody`);
  });

  it('let others go on while they wait for a table', async () => {
    await takeBackFaultKind();
    await other.query('begin; select from batch.lane_faults');
    const migrated = run();
    await eventually(async () => {
      const { rows } = await database.client.query(
        `select from pg_locks where not granted and mode = 'AccessExclusiveLock'`,
      );
      expect(rows).toHaveLength(1);
    });

    // It waits behind the migration, and gets its turn although the table is still locked by the one in front.
    await database.client.query('select from batch.lane_faults');

    await eventually(() =>
      expect(log.join('\n')).toMatch(
        /Migration AddFaultKind1764500000000 could not get its locks.*Locks are held by pid \d+ \(somebody, .*idle in transaction/,
      ),
    );
    await other.query('commit');
    expect(await migrated).toEqual(['AddFaultKind1764500000000']);
  });

  it('give up a table at the deadline: they name the migration, the statement, the message and who holds the lock', async () => {
    await takeBackFaultKind();
    await other.query('begin; select from batch.lane_faults');
    const { message } = await failure({ DB_MIGRATION_WAIT_TIMEOUT: '300' });

    expect(message).toMatch(
      /^migration AddFaultKind1764500000000 failed at the statement "alter table batch\.lane_faults add column kind .*": canceling statement due to lock timeout\. /,
    );
    expect(message).toMatch(/It waited 0\.3 s \(DB_MIGRATION_WAIT_TIMEOUT\)\. Locks are held by pid \d+ \(somebody/);
    expect(message).not.toMatch(/DB_NAME|\n/);
  });

  it('build the index of outcomes without locking the table for others, and wait for older transactions', async () => {
    await takeBackRetention();
    await other.query(
      `begin; insert into batch.outcomes (seq, status, rows_affected, attempts) values (1, 'failed', 0, 1)`,
    );
    const migrated = run({ BATCH_STATEMENT_TIMEOUT: '100' });
    await eventually(async () => expect(await indexIsValid()).toBe(false));

    await database.client.query(`
      set lock_timeout = '1s';
      insert into batch.outcomes (seq, status, rows_affected, attempts) values (2, 'failed', 0, 1)`);
    await pause(2500);

    await other.query('commit');
    expect(await migrated).toEqual(['AddRetention1764000300000']);
    expect(await indexIsValid()).toBe(true);
    expect(log).toEqual(['Applying migration AddRetention1764000300000']);
  });

  it('drop an index that was left half built, and build it again', async () => {
    await takeBackRetention();
    await other.query(
      `begin; insert into batch.outcomes (seq, status, rows_affected, attempts) values (1, 'failed', 0, 1)`,
    );
    const { message } = await failure({ DB_MIGRATION_WAIT_TIMEOUT: '500' });
    expect(message).toMatch(
      /AddRetention\d+ failed at the statement "create index concurrently outcomes_settled_at_idx/,
    );
    expect(await indexIsValid()).toBe(false);

    await other.query('commit');
    expect(await run()).toEqual(['AddRetention1764000300000']);
    expect(await indexIsValid()).toBe(true);
  });

  it('go on where a crash left them between the index and the note that it is done', async () => {
    await forget('AddRetention');
    expect(await run()).toEqual(['AddRetention1764000300000']);
    expect(await indexIsValid()).toBe(true);
  });

  it('keep those that succeeded before one that fails', async () => {
    await takeBackRetention();
    await forget('AddFaultKind');
    const { message } = await failure();

    expect(message).toMatch(/^migration AddFaultKind1764500000000 failed at .*: column "kind" .* already exists\. /);
    const { rows } = await database.client.query(`select name from batch.migrations where name like 'AddRetention%'`);
    expect(rows).toHaveLength(1);
  });

  it('say which right is missing, and whose', async () => {
    const role = uniqueName('role');
    await takeBackFaultKind();
    await database.client.query(`
      create role ${role} login password 'secret';
      grant usage on schema batch to ${role};
      grant select on batch.migrations to ${role}`);
    const { message } = await failure({ DB_MIGRATION_USERNAME: role, DB_MIGRATION_PASSWORD: 'secret' });
    await database.client.query(`drop owned by ${role}; drop role ${role}`);

    expect(message).toMatch(
      /AddFaultKind.*must be owner of table lane_faults.*"role_\w+" lacks a right.*DB_MIGRATION_USERNAME/,
    );
  });

  it('say that the connection was lost, and nobody else waits for a lock of theirs then', async () => {
    await takeBackFaultKind();
    await other.query('begin; select from batch.lane_faults');
    const failed = failure();
    await eventually(async () => {
      const { rows } = await database.client.query(
        `select pg_terminate_backend(pid) from pg_stat_activity
         where datname = current_database() and application_name = 'batch-service-migration' and wait_event_type = 'Lock'`,
      );
      expect(rows).toHaveLength(1);
    });

    expect((await failed).message).toMatch(/AddFaultKind.*terminat.*The connection was lost/);
    await other.query('commit');
    expect(await run()).toEqual(['AddFaultKind1764500000000']);
  });

  it('need no right to create anything where nothing is missing', async () => {
    const role = uniqueName('role');
    await database.client.query(`
      create role ${role} login password 'secret';
      grant usage on schema batch to ${role};
      grant select on batch.migrations to ${role}`);
    expect(await run({ DB_USERNAME: role, DB_PASSWORD: 'secret' })).toEqual([]);
    await database.client.query(`drop owned by ${role}; drop role ${role}`);
  });
});

/** Longer than the time-outs that must not count. */
function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
