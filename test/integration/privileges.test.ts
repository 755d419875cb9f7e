import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { NewOperation } from '../../src/services/queue/new-operation.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';
import { uniqueName } from '../support/unique-name.js';
import { newOperation, type Requested, openWorker, type TestWorker } from '../support/worker.js';

const IDLE = new AbortController().signal;

describe('a service whose role may not do everything', () => {
  const role = uniqueName('role');
  let database: TestDatabase;
  let worker: TestWorker;
  beforeAll(async () => {
    database = await createTestDatabase();
    await database.client.query(`
      create role ${role} login password 'secret';
      grant usage on schema batch, public to ${role};
      grant all on all tables in schema batch to ${role};
      grant all on all sequences in schema batch to ${role};
      grant execute on all functions in schema batch to ${role};
      create schema hidden;
      create table hidden.late (id int primary key deferrable initially deferred, a int unique deferrable);
      create table free (id int primary key, a int);
      create table closed (id int primary key, email text unique);
      create table journal (id int primary key, line text);
      create table tenant_item (id int primary key, tenant text, a int);
      insert into tenant_item values (1, 'ours', 0), (2, 'theirs', 0);
      insert into journal values (1, 'kept');
      alter table tenant_item enable row level security;
      create policy ours on tenant_item using (tenant = 'ours');
      grant all on free, tenant_item to ${role};
      grant insert on journal to ${role}`);
    worker = await openWorker(database, { DB_USERNAME: role, DB_PASSWORD: 'secret' });
  });
  afterAll(async () => {
    await worker?.close();
    await database?.client.query(`drop owned by ${role}; drop role ${role}`);
    await database?.drop();
  });

  const write = (type: Requested['type'], target: string, values: object): NewOperation =>
    newOperation({ type, target: `public.${target}`, values: JSON.stringify(values) });
  const onRow = (type: Requested['type'], target: string, id: number, more: Partial<Requested> = {}) =>
    newOperation({ type, target: `public.${target}`, key: JSON.stringify({ id }), ...more });

  /** In one chunk; each as `rows affected` or `code SQLSTATE`. */
  async function execute(operations: NewOperation[]): Promise<string[]> {
    await worker.queue.enqueue(operations);
    await worker.job.poll(IDLE);
    const { rows } = await database.client.query<{ id: string; outcome: string }>(
      `select id, case status when 'completed' then rows_affected::text else concat_ws(' ', code, sql_state) end as outcome
       from batch.batch_operations`,
    );
    const outcomes = new Map(rows.map(({ id, outcome }) => [id, outcome]));
    return operations.map(({ id }) => outcomes.get(id)!);
  }

  it('fails operations on tables that it may not write, by PERMISSION_DENIED, and lands the others of the chunk', async () => {
    const outcomes = await execute([
      write('insert', 'free', { id: 1, a: 1 }),
      write('insert', 'closed', { id: 1, email: 'x' }),
      write('insert', 'closed', { id: 2, email: 'y' }),
      onRow('delete', 'closed', 1),
      write('insert', 'free', { id: 2, a: 1 }),
    ]);
    const denied = 'PERMISSION_DENIED 42501';
    expect(outcomes).toEqual(['1', denied, denied, denied, '1']);
  });

  it('inserts where it may do nothing but insert, and fails what would have to look', async () => {
    const outcomes = await execute([
      write('insert', 'journal', { id: 10, line: 'first' }),
      onRow('delete', 'journal', 1),
      write('insert', 'journal', { id: 11, line: 'second' }),
      write('insert', 'journal', { id: 10, line: 'again' }),
      write('insert', 'journal', { id: 12, line: 'third' }),
    ]);
    expect(outcomes).toEqual(['1', 'PERMISSION_DENIED 42501', '1', 'UNIQUE_VIOLATION 23505', '1']);
    const { rows } = await database.client.query('select id from journal order by id');
    expect(rows).toEqual([{ id: 1 }, { id: 10 }, { id: 11 }, { id: 12 }]);
  });

  it('leaves existing rows alone where it may not even look whether they exist', async () => {
    const ignoring = (id: number) =>
      newOperation({
        type: 'insert',
        target: 'public.journal',
        values: JSON.stringify({ id, line: 'new' }),
        onConflict: 'ignore',
      });
    expect(await execute([ignoring(20), ignoring(1), ignoring(21)])).toEqual(['1', '0', '1']);
  });

  it('finds no row that row-level security hides, and is refused one that it would hide', async () => {
    const set = { values: JSON.stringify({ a: 7 }) };
    const outcomes = await execute([
      onRow('update', 'tenant_item', 1, set),
      onRow('update', 'tenant_item', 2, set),
      onRow('update', 'tenant_item', 2, { ...set, mustExist: true }),
      write('insert', 'tenant_item', { id: 3, tenant: 'ours', a: 1 }),
      write('insert', 'tenant_item', { id: 4, tenant: 'theirs', a: 1 }),
      onRow('delete', 'tenant_item', 2),
      write('insert', 'tenant_item', { id: 2, tenant: 'ours', a: 1 }),
    ]);
    expect(outcomes).toEqual([
      '1',
      '0',
      'ROW_NOT_FOUND',
      '1',
      'PERMISSION_DENIED 42501',
      '0',
      'UNIQUE_VIOLATION 23505',
    ]);
    const { rows } = await database.client.query('select id, tenant, a from tenant_item order by id');
    expect(rows).toEqual([
      { id: 1, tenant: 'ours', a: 7 },
      { id: 2, tenant: 'theirs', a: 0 },
      { id: 3, tenant: 'ours', a: 1 },
    ]);
  });
});
