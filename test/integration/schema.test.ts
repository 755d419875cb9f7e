import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { DataSource } from 'typeorm';
import { partyOf } from '../../src/services/backpressure/party.js';
import type { Settings } from '../../src/services/config/settings.js';
import { createDataSource } from '../../src/services/database/data-source.js';
import { migrate } from '../../src/services/database/migrate.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';
import { testSettings } from '../support/test-settings.js';
import { openWorker } from '../support/worker.js';
import { drain, verdicts } from './support/queue-session.js';

describe('the schema', () => {
  let database: TestDatabase;
  let dataSource: DataSource;
  let settings: Settings;
  beforeAll(async () => {
    database = await createTestDatabase({ migrated: false });
    settings = testSettings(database.environment);
    dataSource = await createDataSource(settings).initialize();
  });
  afterAll(async () => {
    await dataSource?.destroy();
    await database?.drop();
  });

  const drift = async (): Promise<string[]> =>
    (await dataSource.driver.createSchemaBuilder().log()).upQueries.map(({ query }) => query);

  it('is made once, however many processes boot at the same time', async () => {
    const done = await Promise.all([migrate(settings), migrate(settings), migrate(settings)]);
    expect(done.flat()).toEqual([
      'CreateQueue1763700000000',
      'AddChunkPlan1763900000000',
      'AddLanes1764000000000',
      'AddOperationRetry1764000100000',
      'AddApiKeys1764000200000',
      'AddRetention1764000300000',
      'AddCreatedBy1764200000000',
      'AddParty1764200100000',
      'AddMessageAttempts1764300000000',
      'AddParkedNotifications1764400000000',
      'AddFaultKind1764500000000',
      'AddKeySources1764600000000',
      'EncryptApiKeys1764600100000',
      'AddAudit1764600200000',
      'AddShapes1764700000000',
    ]);
    expect(await dataSource.showMigrations()).toBe(false);
  });

  it('is what the entities say, once the migrations ran', async () => {
    expect(await drift()).toEqual([]);
  });

  it.each([
    'alter table batch.chunks add column forgotten int',
    'alter table batch.delayed alter column lane drop not null',
    'drop index batch.chunks_seqs_idx',
  ])('would differ from the entities after: %s', async (change) => {
    await database.client.query(change);
    expect(await drift()).not.toEqual([]);
    await database.client.query('drop schema batch cascade');
    await migrate(settings);
    expect(await drift()).toEqual([]);
  });

  it('keeps what waits, and knows its party, when an installed queue is migrated', async () => {
    const { client } = database;
    const first = dataSource.migrations.findIndex(({ constructor: { name } }) => name.startsWith('AddCreatedBy'));
    const undone = dataSource.migrations.slice(first).map(({ constructor: { name } }) => name);
    for (const _ of undone) await dataSource.undoLastMigration();
    await client.query(`
      insert into batch.operations (id, type, target, source, lane)
      select gen_random_uuid(), 'delete', 'public.item', source, 1 from unnest(array['shop', null, 'shop', 'crm']) source;
      insert into batch.pending (seq, priority, lane) select seq, 0, 1 from batch.operations order by seq limit 2;
      insert into batch.delayed (seq, available_at, priority, lane)
      select seq, now(), 0, 1 from batch.operations order by seq desc limit 2`);
    expect(await migrate(settings)).toEqual(undone);
    const { rows } = await client.query<{ status: string; created_by: null; party: number }>(`
      select status, created_by, coalesce(p.party, d.party) as party
      from batch.batch_operations v left join batch.pending p using (seq) left join batch.delayed d using (seq) order by seq`);
    expect(rows).toEqual([
      { status: 'pending', created_by: null, party: partyOf(null, 'shop') },
      { status: 'pending', created_by: null, party: partyOf(null, null) },
      { status: 'scheduled', created_by: null, party: partyOf(null, 'shop') },
      { status: 'scheduled', created_by: null, party: partyOf(null, 'crm') },
    ]);
    expect(await drift()).toEqual([]);
  });

  it('keeps operations that were stored with their names, and what became of them, when it learns of shapes', async () => {
    const { client } = database;
    const STORED = `select seq, id, type, target, key::text as key, "values"::text as values, on_conflict, conflict_key, must_exist,
        priority, run_at, source, status, code, chunk_id
      from batch.batch_operations order by seq`;
    const first = dataSource.migrations.findIndex(({ constructor: { name } }) => name.startsWith('AddShapes'));
    const undone = dataSource.migrations.slice(first).map(({ constructor: { name } }) => name);
    for (const _ of undone) await dataSource.undoLastMigration();
    await client.query(`
      create table thing (id int primary key, amount numeric, name text unique, doc json);
      insert into thing values (1, 1, 'one', null), (2, 2, 'two', null);
      delete from batch.pending; delete from batch.delayed; delete from batch.outcomes; delete from batch.operations;
      insert into batch.operations (id, type, target, key, "values", on_conflict, conflict_key, must_exist, source, lane)
      values
        (gen_random_uuid(), 'insert', 'public.thing', null, '{ "name":"b\\u00e9", "id":1e1, "amount":1.50, "doc":{"b":1,"a":2,"b":3} }', 'error', null, false, 'shop', 0),
        (gen_random_uuid(), 'insert', 'public.thing', null, '{"id":1}', 'ignore', null, false, null, 0),
        (gen_random_uuid(), 'upsert', 'public.thing', null, '{"name":"two","id":2,"amount":-0}', null, '{id}', false, null, 0),
        (gen_random_uuid(), 'update', 'public.thing', '{"name":"two"}', '{"name":"zwei"}', null, null, true, null, 0),
        (gen_random_uuid(), 'increment', 'public.thing', '{"id":2}', '{"amount":12345678901234567890.12}', null, null, false, null, 0),
        (gen_random_uuid(), 'delete', 'public.thing', '{"id":1}', null, null, null, true, null, 0),
        (gen_random_uuid(), 'delete', 'public.thing', '{"id":77}', null, null, null, true, null, 0);
      insert into batch.lanes (target, lane) values ('public.thing', 0);
      insert into batch.pending (seq, priority, lane) select seq, 0, 0 from batch.operations where seq not in (select max(seq) from batch.operations);
      insert into batch.outcomes (seq, status, rows_affected, attempts, code)
      select max(seq), 'failed', 0, 1, 'ROW_NOT_FOUND' from batch.operations`);
    const { rows: before } = await client.query(STORED);
    expect(before).toHaveLength(7);
    expect(await migrate(settings)).toEqual(undone);
    expect((await client.query(STORED)).rows).toEqual(before);
    for (const _ of undone) await dataSource.undoLastMigration();
    expect((await client.query(STORED)).rows).toEqual(before);
    expect(await migrate(settings)).toEqual(undone);
    expect(await drift()).toEqual([]);

    const worker = await openWorker(database);
    await drain(database, worker);
    await worker.close();
    expect(await verdicts(database)).toEqual([
      ...Array<string>(1).fill('completed 1'),
      'completed 0',
      ...Array<string>(4).fill('completed 1'),
      'failed 0 ROW_NOT_FOUND',
    ]);
    expect((await client.query('select id, amount::text, name, doc::text from thing order by id')).rows).toEqual([
      { id: 2, amount: '12345678901234567890.12', name: 'zwei', doc: null },
      { id: 10, amount: '1.50', name: 'bé', doc: '{"b":1,"a":2,"b":3}' },
    ]);
  });

  it('can be taken back', async () => {
    for (const _ of dataSource.migrations) await dataSource.undoLastMigration();
    const { rows } = await database.client.query<{ table_name: string }>(
      `select table_name from information_schema.tables where table_schema = 'batch'`,
    );
    expect(rows.map(({ table_name }) => table_name)).toEqual(['migrations']);
  });
});
