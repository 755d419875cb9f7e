import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { SqlDatabase, SqlStatement } from '../../../src/interfaces/sql.js';
import { migrateBatchSchema } from '../../../src/batch/repository/schema.js';
import { createTestDatabase, type TestDatabase } from '../../support/database.js';
import { NotingDatabase } from '../../support/noting-database.js';
import { PoolDatabase } from '../../../src/batch/sql/pool-database.js';

const TABLES = [
  'batch_schema_versions',
  'job_executions',
  'job_instances',
  'scheduled_jobs',
  'skipped_items',
  'step_executions',
];

describe('migrateBatchSchema', () => {
  let test: TestDatabase;
  let database: PoolDatabase;
  beforeEach(async () => {
    test = await createTestDatabase({ migrated: false });
    database = new PoolDatabase(test.client);
  });
  afterEach(() => test?.drop());

  const tablesIn = async (schema: string): Promise<string[]> => {
    const statement = {
      text: 'select table_name as name from information_schema.tables where table_schema = $1 order by 1',
      values: [schema],
    };
    return (await test.client.query<{ name: string }>(statement)).rows.map(({ name }) => name);
  };

  it('makes the tables in the schema batch, or in another', async () => {
    await migrateBatchSchema(database);
    await migrateBatchSchema(database, 'Odd "schema"');
    expect(await tablesIn('batch')).toEqual(TABLES);
    expect(await tablesIn('Odd "schema"')).toEqual(TABLES);
  });

  it('says what each table is for', async () => {
    await migrateBatchSchema(database);
    const { rows } = await test.client.query(
      `select relname from pg_class where relnamespace = 'batch'::regnamespace and relkind = 'r' and obj_description(oid) is null`,
    );
    expect(rows).toEqual([]);
  });

  it('changes nothing the second time', async () => {
    await migrateBatchSchema(database);
    const versions = await test.client.query('select * from batch.batch_schema_versions');
    const second = new NotingDatabase(database);
    await migrateBatchSchema(second);
    expect((await test.client.query('select * from batch.batch_schema_versions')).rows).toEqual(versions.rows);
    expect(second.statements.filter(({ text }) => /create|insert|comment/.test(text))).toEqual([]);
  });

  it('can be called by five processes at the same time', async () => {
    await Promise.all(Array.from({ length: 5 }, () => migrateBatchSchema(database)));
    expect(await tablesIn('batch')).toEqual(TABLES);
  });

  it('needs no right to create anything when nothing is missing', async () => {
    await migrateBatchSchema(database);
    const client = await test.client.connect();
    try {
      await client.query('begin');
      await client.query('create role batch_reader_of_schema');
      await client.query('grant usage on schema batch to batch_reader_of_schema');
      await client.query('grant select on batch.batch_schema_versions to batch_reader_of_schema');
      await client.query('set local role batch_reader_of_schema');
      const tx = { query: async (statement: SqlStatement) => client.query(statement) } as unknown as SqlDatabase;
      await migrateBatchSchema({ query: tx.query, transaction: (work) => work(tx) });
    } finally {
      await client.query('rollback');
      client.release();
    }
  });

  it('refuses tables of a newer version, and says so', async () => {
    await migrateBatchSchema(database);
    await test.client.query('insert into batch.batch_schema_versions (version) values (99)');
    await expect(migrateBatchSchema(database)).rejects.toMatchObject({
      code: 'SCHEMA_TOO_NEW',
      message: expect.stringMatching(/schema "batch" have version 99, and this code knows versions up to \d+/),
    });
  });

  it('makes all tables or none', async () => {
    await test.client.query('create schema batch');
    await test.client.query('create table batch.skipped_items ()');
    await expect(migrateBatchSchema(database)).rejects.toThrow('already exists');
    expect(await tablesIn('batch')).toEqual(['skipped_items']);
  });

  it('refuses a status that does not exist', async () => {
    await migrateBatchSchema(database);
    await test.client.query(`insert into batch.job_instances (job_name, job_key) values ('job', 'key')`);
    const wrong = test.client.query(
      `insert into batch.job_executions (job_instance_id, job_name, status, exit_code, parameters, context, owner, lease_until)
       values (1, 'job', 'DONE', '', '{}', '{}', '', now())`,
    );
    await expect(wrong).rejects.toMatchObject({ code: '23514' });
  });
});
