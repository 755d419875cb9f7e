import pg from 'pg';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { asSqlClient } from '../../src/batch/sql/as-sql-client.js';
import { inSavepoint } from '../../src/batch/sql/in-savepoint.js';
import type { SqlClient } from '../../src/interfaces/sql.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';
import { clientOptions } from '../support/test-databases.js';

describe('a savepoint', () => {
  let database: TestDatabase;
  let client: pg.Client;
  let tx: SqlClient;
  beforeAll(async () => {
    database = await createTestDatabase({ migrated: false });
    client = new pg.Client({ ...clientOptions(database.connection), pipeline: true });
    await client.connect();
    tx = asSqlClient(client);
    await client.query('create table done (what text)');
  });
  afterAll(async () => {
    await client?.end();
    await database?.drop();
  });
  beforeEach(async () => {
    await client.query('truncate done');
    await client.query('begin');
    return async () => void (await client.query('rollback'));
  });

  const put = async (what: string): Promise<string> => {
    await tx.query({ text: 'insert into done values ($1)', values: [what] });
    return what;
  };
  const fail = () => tx.query({ text: 'select 1/0' });
  const done = async (): Promise<string[]> =>
    (await tx.query<{ what: string }>({ text: 'select what from done' })).rows.map(({ what }) => what);

  it('keeps what was done in it', async () => {
    expect(await inSavepoint(tx, 'a', () => put('one'))).toBe('one');
    expect(await done()).toEqual(['one']);
  });

  it('takes back what was done in it when that fails, and the transaction goes on', async () => {
    await put('before');
    const failing = inSavepoint(tx, 'a', async () => {
      await put('one');
      await fail();
    });
    await expect(failing).rejects.toThrow('division by zero');
    expect(await done()).toEqual(['before']);
  });

  it('takes back a result that is refused, and answers it', async () => {
    const answer = inSavepoint(
      tx,
      'a',
      () => put('one'),
      (what) => what !== 'one',
    );
    expect(await answer).toBe('one');
    expect(await done()).toEqual([]);
  });

  it('takes back nothing of an older one of its name, also when the transaction had failed before', async () => {
    const outer = inSavepoint(tx, 'a', async () => {
      await put('outer');
      await expect(inSavepoint(tx, 'a', fail)).rejects.toThrow('division by zero');
      await put('later');
    });
    await outer;
    expect(await done()).toEqual(['outer', 'later']);

    await fail().catch(() => undefined);
    await expect(inSavepoint(tx, 'a', () => put('too late'))).rejects.toThrow('current transaction is aborted');
  });
});
