import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { NewOperation } from '../../src/services/queue/new-operation.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';
import { newOperation, openWorker, type TestWorker } from '../support/worker.js';
import { EMPTY_QUEUE, verdicts } from './support/queue-session.js';

const FOREVER = new AbortController().signal;
const TABLES = [
  ...['event', 'daily', 'coded', 'doc', 'doc_history', 'scratched', 'c', 'm', 'p', 'kid', 'two', 'careless', 'par'],
  ...['ruled', 'ruled_log', 'counter'],
];

/** Many operations are one transaction, and each has to end as if it were a transaction of its own. */
describe('operations of one chunk', () => {
  let database: TestDatabase;
  let worker: TestWorker;
  beforeAll(async () => {
    database = await createTestDatabase();
    worker = await openWorker(database);
    await database.client.query(`
      create table event (dev int, at timestamptz default now(), n int, unique (dev, at));
      create table daily (dev int, at timestamptz default now(), primary key (dev, at)) partition by range (at);
      create table daily_all partition of daily default;
      create table coded (tenant text default 'main', code int, unique (tenant, code));
      create table counter (id int primary key, n int check (n <= 1));
      create table ruled (id int primary key, a int);
      create table ruled_log (id int);
      create rule also as on update to ruled do also insert into ruled_log values (new.id);
      create rule never as on delete to ruled do instead nothing;
      create table doc (id int primary key, body text);
      create table doc_history (id int, at timestamptz default now(), primary key (id, at));
      create function keep() returns trigger language plpgsql as $$ begin
        insert into doc_history (id) values (new.id); return null; end $$;
      create trigger keep after update on doc for each row execute function keep();
      create table scratched (id int primary key);
      create function scratch() returns trigger language plpgsql as $$ begin
        create temporary table scratch on commit drop as select new.id; return new; end $$;
      create trigger scratch before insert on scratched for each row execute function scratch();

      create table p (id int primary key);
      create table m (id int primary key, p int references p on delete cascade);
      create table c (id int primary key, p int references p deferrable initially deferred, m int references m on delete cascade);
      create table par (id int primary key);
      create table kid (id int primary key, par int references par deferrable initially deferred);
      create function make_parent() returns trigger language plpgsql as $$ begin
        insert into par values (new.par) on conflict do nothing; return null; end $$;
      create trigger make_parent after insert on kid for each row execute function make_parent();
      create table two (
        id int primary key,
        late int constraint a_late references par deferrable initially deferred,
        now int constraint b_now references par
      );
      create table careless (id int primary key, par int references par deferrable initially immediate);
      create function defer() returns trigger language plpgsql as $$ begin set constraints all deferred; return new; end $$;
      create trigger defer before insert on careless for each row execute function defer();`);
  });
  beforeEach(() => database.client.query(`${EMPTY_QUEUE} ${TABLES.map((table) => `delete from ${table};`).join(' ')}`));
  afterAll(async () => {
    await worker?.close();
    await database?.drop();
  });

  const insert = (target: string, values: object): NewOperation =>
    newOperation({ type: 'insert', target: `public.${target}`, values: JSON.stringify(values) });
  const update = (target: string, id: number, values: object): NewOperation =>
    newOperation({
      type: 'update',
      target: `public.${target}`,
      key: JSON.stringify({ id }),
      values: JSON.stringify(values),
    });
  const remove = (target: string, id: number): NewOperation =>
    newOperation({ type: 'delete', target: `public.${target}`, key: JSON.stringify({ id }) });

  /** Until none waits. */
  async function execute(...operations: NewOperation[]): Promise<{ found: string[]; chunks: number }> {
    await worker.queue.enqueue(operations);
    for (let polls = 0; polls < 20; polls += 1) {
      if ((await worker.job.poll(FOREVER)) > 0) break;
    }
    const { rowCount } = await database.client.query('select from batch.chunks');
    return { found: await verdicts(database), chunks: rowCount! };
  }

  const times = <T>(count: number, make: (index: number) => T): T[] =>
    Array.from({ length: count }, (_, index) => make(index));
  const DONE = 'completed 1';

  it('may have the same now() in a unique key', async () => {
    const { found, chunks } = await execute(...times(3, (n) => insert('event', { dev: 1, n })));
    expect(found).toEqual([DONE, DONE, DONE]);
    expect(chunks).toBe(3);
  });

  it('are not kept apart for it where they do not meet', async () => {
    const { found, chunks } = await execute(...times(30, (dev) => insert('event', { dev, n: 1 })));
    expect(found).toEqual(times(30, () => DONE));
    expect(chunks).toBe(1);
  });

  it('are refused by such a key as ever when they give its columns', async () => {
    const at = '2024-01-01T00:00:00Z';
    const { found, chunks } = await execute(...times(3, (n) => insert('event', { dev: 1, at, n })));
    const refused = 'failed 0 UNIQUE_VIOLATION 23505 event_dev_at_key';
    expect(found).toEqual([DONE, refused, refused]);
    expect(chunks).toBe(1);
  });

  it('may be ignored for now() in a unique key only when they are alone', async () => {
    const ignoring = (n: number) => ({ ...insert('event', { dev: 1, n }), onConflict: 'ignore' as const });
    expect((await execute(ignoring(1), ignoring(2))).found).toEqual([DONE, DONE]);
  });

  it('may have the same now() in the key of a partitioned table', async () => {
    expect((await execute(insert('daily', { dev: 1 }), insert('daily', { dev: 1 }))).found).toEqual([DONE, DONE]);
  });

  it('may have the same now() where folded operations were taken apart between them', async () => {
    const increment = () =>
      newOperation({ type: 'increment', target: 'public.counter', key: '{"id":1}', values: '{"n":1}' });
    await database.client.query('insert into counter values (1, 0)');
    const event = (n: number) => insert('event', { dev: 1, n });
    const { found } = await execute(event(1), increment(), increment(), event(2));
    expect(found).toEqual([DONE, DONE, 'failed 0 CHECK_VIOLATION 23514 counter_n_check', DONE]);
  });

  it('are refused at once by a key with a constant as default', async () => {
    const { found, chunks } = await execute(...times(6, (n) => insert('coded', { code: n % 2 })));
    const refused = 'failed 0 UNIQUE_VIOLATION 23505 coded_tenant_code_key';
    expect(found).toEqual([DONE, DONE, refused, refused, refused, refused]);
    expect(chunks).toBe(1);
  });

  it('may meet the rules of a table', async () => {
    await database.client.query('insert into ruled values (1, 0)');
    const { found } = await execute(update('ruled', 1, { a: 1 }), update('ruled', 1, { a: 2 }), remove('ruled', 1));
    expect(found).toEqual([DONE, DONE, 'completed 0']);
    expect((await database.client.query('select a from ruled')).rows).toEqual([{ a: 2 }]);
    expect((await database.client.query('select from ruled_log')).rowCount).toBe(2);
  });

  it('are refused by a constraint that a trigger has deferred', async () => {
    await database.client.query('insert into par values (1)');
    const { found } = await execute(
      insert('careless', { id: 1, par: 1 }),
      insert('careless', { id: 2, par: 9 }),
      insert('careless', { id: 3, par: 1 }),
    );
    expect(found).toEqual([DONE, 'failed 0 MISSING_PARENT 23503 careless_par_fkey', DONE]);
  });

  it('may be written to a history by a trigger, with now() as its key', async () => {
    await database.client.query(`insert into doc values (1, 'a')`);
    const { found } = await execute(...times(3, (n) => update('doc', 1, { body: `${n}` })));
    expect(found).toEqual([DONE, DONE, DONE]);
    expect((await database.client.query('select from doc_history')).rowCount).toBe(3);
  });

  it('are refused at once by the own key of a table with triggers', async () => {
    const { found, chunks } = await execute(...times(4, () => insert('doc', { id: 7, body: 'a' })));
    const refused = 'failed 0 UNIQUE_VIOLATION 23505 doc_pkey';
    expect(found).toEqual([DONE, refused, refused, refused]);
    expect(chunks).toBe(1);
  });

  it('may have triggers that make a temporary table until the commit', async () => {
    const { found } = await execute(...times(3, (id) => insert('scratched', { id })));
    expect(found).toEqual([DONE, DONE, DONE]);
  });

  it('may break a deferred constraint that their own cascade repairs', async () => {
    await database.client.query(
      'insert into p values (1); insert into m values (1, 1); insert into c values (1, 1, 1)',
    );
    expect((await execute(remove('p', 1), insert('p', { id: 2 }))).found).toEqual([DONE, DONE]);
    expect((await database.client.query('select from c')).rowCount).toBe(0);
  });

  it('may break a deferred constraint that their own trigger repairs', async () => {
    const { found } = await execute(insert('kid', { id: 1, par: 5 }), insert('kid', { id: 2, par: 6 }));
    expect(found).toEqual([DONE, DONE]);
  });

  it('are refused when a deferred constraint stays broken, each by itself', async () => {
    await database.client.query('insert into par values (1)');
    const { found } = await execute(
      insert('two', { id: 1, late: 1, now: 1 }),
      insert('two', { id: 2, late: 9, now: 1 }),
      insert('two', { id: 3, late: 1, now: 1 }),
      insert('par', { id: 9 }),
    );
    expect(found).toEqual([DONE, 'failed 0 MISSING_PARENT 23503 a_late', DONE, DONE]);
  });

  it('are refused by the constraint that is checked first when they break several', async () => {
    const { found } = await execute(insert('two', { id: 1, late: 9, now: 9 }));
    expect(found).toEqual(['failed 0 MISSING_PARENT 23503 b_now']);
  });
});
