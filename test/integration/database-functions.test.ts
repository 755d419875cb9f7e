import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { prepareDatabase } from '../../src/bootstrap/check-surroundings.js';
import { migrate } from '../../src/services/database/migrate.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';
import { testSettings } from '../support/test-settings.js';
import { uniqueName } from '../support/unique-name.js';

describe('the function that executes plans', () => {
  const role = uniqueName('role');
  let database: TestDatabase;
  beforeAll(async () => {
    database = await createTestDatabase();
    await database.client.query(`create role ${role} login password 'secret'`);
  });
  beforeEach(() => migrate(testSettings(database.environment)));
  afterAll(async () => {
    await database.client.query(`drop owned by ${role}; drop role ${role}`);
    await database.drop();
  });

  const check = (more = {}): Promise<string[]> =>
    prepareDatabase(testSettings({ ...database.environment, BATCH_RUN_MIGRATIONS: 'false', ...more }), {
      onAttempt: () => undefined,
    });
  const LACKS = /lacks migrations \(function batch\.execute_plan\): run `node dist\/migrate\.js`/;

  it.each([
    ['is dropped', 'drop function batch.execute_plan'],
    ['is older than the code', `comment on function batch.execute_plan is 'version 0 of batch-service'`],
    ['is not known to be the one', 'comment on function batch.execute_plan is null'],
  ])('keeps a process from starting when it %s, until migrations are run', async (_, statement) => {
    await database.client.query(statement);
    await expect(check()).rejects.toThrow(LACKS);
    await migrate(testSettings(database.environment));
    await expect(check()).resolves.toEqual([]);
  });

  it('may be newer than the code, and is not replaced then', async () => {
    const newer = `comment on function batch.execute_plan is 'version 1000 of batch-service'`;
    await database.client.query(newer);
    await expect(check()).resolves.toEqual([]);
    await migrate(testSettings(database.environment));
    const { rows } = await database.client.query(
      `select obj_description(oid, 'pg_proc') as comment from pg_proc where proname = 'execute_plan'`,
    );
    expect(rows).toEqual([{ comment: 'version 1000 of batch-service' }]);
  });

  it('may be called only by roles with a grant; the error of another role names the cure', async () => {
    const as = { DB_USERNAME: role, DB_PASSWORD: 'secret' };
    await database.client.query(`
      grant usage on schema batch to ${role};
      grant all on all tables in schema batch to ${role};
      grant all on all sequences in schema batch to ${role}`);
    await expect(check(as)).rejects.toThrow(
      /\(execute on function operation_rows, execute on function operation_contents, execute on function execute_plan, execute on function store_shape, execute on function lock_holders, execute on function closed_lanes, execute on function why_waiting, execute on function erase_operations\): run `node dist\/migrate\.js` with/,
    );
    const { DB_USERNAME: owner, DB_PASSWORD: password } = database.environment;
    const migrating = { ...as, DB_MIGRATION_USERNAME: owner, DB_MIGRATION_PASSWORD: password };
    await migrate(testSettings({ ...database.environment, ...migrating }));
    await expect(check(as)).resolves.toEqual([]);
  });
});
