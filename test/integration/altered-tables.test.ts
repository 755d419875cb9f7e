import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createTestDatabase, type TestDatabase } from '../support/database.js';
import { eventually } from '../support/eventually.js';
import type { TestOperation } from '../support/serial-oracle.js';
import { clientOptions } from '../support/test-databases.js';
import { openWorker, type TestWorker } from '../support/worker.js';
import { increment, insert, remove, update, upsert } from './support/fault-cases.js';
import { drain, dumpTables, EMPTY_QUEUE, ledgerFaults, toNewOperation, verdicts } from './support/queue-session.js';

const FOREVER = new AbortController().signal;

const DDL = `
  drop table if exists thing, bystander, gate, depot cascade;
  create table depot (id int primary key);
  create table thing (id int primary key, code text constraint thing_code unique, a int, b text);
  create table bystander (id int primary key, note text);
  create table gate (id int primary key, n int not null default 0);
  insert into thing select id, 'c' || id, 10 + id, id from generate_series(100, 112) id;
  insert into gate values (1);
`;
const DUMPED = ['thing', 'bystander', 'gate'];

interface Alteration {
  what: string;
  sql: string;
  /** What some operation has to fail with, if any. */
  fails?: string;
  /** The service would refuse what the table does not: until it knows, it has no reason to. */
  lenient?: boolean;
}

const ALTERATIONS: readonly Alteration[] = [
  { what: 'a column is dropped', sql: 'alter table thing drop column a', fails: 'UNKNOWN_COLUMN' },
  { what: 'a column is renamed', sql: 'alter table thing rename column b to c', fails: 'UNKNOWN_COLUMN' },
  { what: 'a column is added', sql: 'alter table thing add extra int not null default 3' },
  {
    what: 'a column is added that has to be given',
    sql: 'alter table thing add extra int; update thing set extra = 0; alter table thing alter extra set not null',
    fails: 'NOT_NULL_VIOLATION',
  },
  { what: 'a column is retyped', sql: 'alter table thing alter b type int using 0', fails: 'INVALID_VALUE' },
  { what: 'a column is retyped that is counted', sql: `alter table thing alter a type text` },
  {
    what: 'a column is narrowed',
    sql: 'alter table thing alter b type varchar(1) using null',
    fails: 'VALUE_TOO_LONG',
  },
  { what: 'the table is dropped', sql: 'drop table thing; create table thing_2 ()', fails: 'UNKNOWN_TARGET' },
  {
    what: 'the table is dropped and made again, with other columns',
    sql: 'drop table thing; create table thing (id text primary key, code text unique, a int check (a < 8))',
    fails: 'UNKNOWN_COLUMN',
  },
  {
    what: 'a check is added',
    sql: `alter table thing add constraint small check (a < 8) not valid`,
    fails: 'CHECK_VIOLATION',
  },
  {
    what: 'a foreign key is added',
    sql: `alter table thing add constraint of_depot foreign key (a) references depot not valid`,
    fails: 'MISSING_PARENT',
  },
  { what: 'a unique index is added', sql: 'create unique index by_a on thing (a)', fails: 'UNIQUE_VIOLATION' },
  {
    what: 'a unique index over an expression is added',
    sql: 'create unique index by_lower on thing (lower(b))',
    fails: 'UNIQUE_VIOLATION',
  },
  {
    what: 'an exclusion constraint is added',
    sql: 'alter table thing add constraint one_b exclude (b with =)',
    fails: 'EXCLUSION_VIOLATION',
  },
  {
    what: 'a unique key is dropped',
    sql: 'alter table thing drop constraint thing_code',
    lenient: true,
  },
  {
    what: 'the primary key is dropped',
    sql: 'alter table thing drop constraint thing_pkey',
    fails: 'KEY_NOT_UNIQUE',
    lenient: true,
  },
  {
    what: 'a trigger is added that leaves rows out',
    sql: `create function leave_out() returns trigger language plpgsql as $$ begin
        if new.a = 5 then return null; end if;
        return new;
      end $$;
      create trigger leave_out before insert or update on thing for each row execute function leave_out()`,
  },
  {
    what: 'a trigger is added that refuses rows',
    sql: `create function refuse() returns trigger language plpgsql as $$ begin
        if new.a = 5 and new.id < 100 then raise 'no'; end if;
        return new;
      end $$;
      create trigger refuse before insert or update on thing for each row execute function refuse()`,
    fails: 'REJECTED_BY_TRIGGER',
  },
];

interface Ledger {
  verdicts: string[];
  tables: string[];
  faults: string[];
}

const FIRST_CHUNK = 4;
const UNDO = 'drop table if exists thing_2; drop function if exists leave_out, refuse cascade;';

const ids = (first: number, count: number): number[] => Array.from({ length: count }, (_, index) => first + index);

/** No row of `thing` is prefetched: it could not be altered in the middle of the chunk. */
const PLAIN: readonly TestOperation[] = [
  increment('gate', { id: 1 }, { n: 1 }),
  ...ids(1, 6).map((id) => insert('thing', { id, code: `n${id}`, a: id, b: `B${id}` })),
  insert('thing', { id: 7, code: 'n7', a: 7, b: 'b6' }),
  insert('thing', { id: 8, code: 'n8', a: 6, b: 'B6' }),
  insert('thing', { id: 9, code: 'n9' }),
  insert('bystander', { id: 1, note: 'lands' }),
  upsert('thing', { id: 20, a: 9 }, 'id'),
  upsert('thing', { id: 21, b: '21' }, 'id'),
  ...ids(101, 6).map((id) => update('thing', { id }, { a: id - 100 + 50 })),
  // Alike and one after the other, so that they are prepared.
  ...ids(1, 10).map((n) => update('thing', { id: 110 }, { a: n })),
  update('thing', { id: 107 }, { b: 'word' }),
  update('thing', { id: 108 }, { b: '7' }),
  ...ids(1, 10).map((a) => increment('thing', { id: 109 }, { a })),
  insert('bystander', { id: 1, note: 'fails' }),
];

/** Rows are prefetched, and named in several ways. */
const INTRICATE: readonly TestOperation[] = [
  ...PLAIN,
  remove('thing', { id: 111 }),
  update('thing', { id: 100 }, { code: 'given' }),
  insert('thing', { id: 30, code: 'c100' }),
  update('thing', { code: 'c101' }, { b: 'by code' }),
  upsert('thing', { code: 'c102', id: 102, b: 'again' }, 'code'),
  remove('thing', { code: 'c103' }),
];

/** What is missing is found missing by the service, which has no SQLSTATE for it, or else by the database. */
const withoutBindingState = (verdict: string): string =>
  verdict.replace(/(UNKNOWN_COLUMN|UNKNOWN_TARGET|KEY_NOT_UNIQUE) \w+$/, '$1');

describe('a table altered under the operations that wait for it', () => {
  let database: TestDatabase;
  let grouped: TestWorker;
  let serial: TestWorker;
  let other: pg.Client;

  beforeAll(async () => {
    database = await createTestDatabase();
    const environment = { BATCH_PROCESS_OPERATION_LIMIT: '1000' };
    grouped = await openWorker(database, environment);
    serial = await openWorker(database, { ...environment, BATCH_EXECUTION_MODE: 'serial' });
    other = new pg.Client(clientOptions(database.connection));
    await other.connect();
    // A fault of the test itself ends it.
    await database.client.query(`alter role current_user in database ${database.name} set lock_timeout = '5s'`);
  });
  afterAll(async () => {
    await other?.end();
    await Promise.all([grouped?.close(), serial?.close()]);
    await database?.drop();
  });

  /** The worker remembers the tables as they are before they are altered, and may have executed some operations. */
  async function start(worker: TestWorker, operations: readonly TestOperation[], executed = 0): Promise<void> {
    await database.client.query(UNDO + DDL + EMPTY_QUEUE);
    worker.catalog.invalidate();
    await worker.catalog.tables(DUMPED.map((table) => `public.${table}`));
    const waiting = operations.map((operation) => toNewOperation(operation));
    if (executed > 0) {
      await worker.queue.enqueue(waiting.splice(0, executed));
      await drain(database, worker);
    }
    await worker.queue.enqueue(waiting);
  }

  async function look(): Promise<Ledger> {
    const { rows } = await database.client.query<{ name: string }>(
      'select relname as name from pg_class where relname = any($1)',
      [DUMPED],
    );
    return {
      verdicts: (await verdicts(database)).map(withoutBindingState),
      tables: await dumpTables(
        database,
        rows.map(({ name }) => name),
      ),
      faults: await ledgerFaults(database),
    };
  }

  /** What the operations give one by one when everything is known of the altered table. */
  async function oneByOne(
    operations: readonly TestOperation[],
    { sql, lenient = false }: Alteration,
    first = 0,
  ): Promise<Ledger> {
    await start(serial, operations, first);
    await database.client.query(sql);
    if (!lenient) serial.catalog.invalidate();
    await drain(database, serial);
    return look();
  }

  function check(found: Ledger, expected: Ledger, { fails }: Alteration): void {
    expect(found).toEqual(expected);
    expect(found.faults).toEqual([]);
    if (fails !== undefined) expect(found.verdicts).toContainEqual(expect.stringMatching(`^failed 0 ${fails}`));
    expect(found.tables).toContain('bystander (1,lands)');
  }

  /** The process that waits for what the given one has. */
  const waitingFor = (pid: number): Promise<number> =>
    eventually(
      async () => {
        const { rows } = await database.client.query<{ pid: number }>(
          `select pid from pg_stat_activity where $1 = any(pg_blocking_pids(pid)) and datname = current_database()`,
          [pid],
        );
        expect(rows).toHaveLength(1);
        return rows[0]!.pid;
      },
      { intervalMs: 5 },
    );

  /** Begins the operations, the first of which waits at the gate; everything else is done after `work`. */
  async function atTheGate(operations: readonly TestOperation[], work: (pid: number) => Promise<void>): Promise<void> {
    await start(grouped, operations);
    await other.query('begin; update gate set n = n where id = 1');
    try {
      const polled = Promise.allSettled([grouped.job.poll(FOREVER)]);
      await work(await waitingFor((other as unknown as { processID: number }).processID));
      await other.query('rollback');
      await polled;
    } finally {
      await other.query('rollback');
    }
    await drain(database, grouped);
  }

  describe.each(ALTERATIONS)('$what', (alteration) => {
    it('between intake and execution: fails what the table refuses alone, and nothing else', async () => {
      const expected = await oneByOne(INTRICATE, alteration);
      await start(grouped, INTRICATE);
      await database.client.query(alteration.sql);
      await drain(database, grouped);
      check(await look(), expected, alteration);
    });

    it('between two chunks: the same', async () => {
      const expected = await oneByOne(INTRICATE, alteration, FIRST_CHUNK);
      await start(grouped, INTRICATE, FIRST_CHUNK);
      await database.client.query(alteration.sql);
      await drain(database, grouped);
      check(await look(), expected, alteration);
    });

    it('between plan and execution: the same', async () => {
      const expected = await oneByOne(PLAIN, alteration);
      await atTheGate(PLAIN, async () => void (await database.client.query(alteration.sql)));
      check(await look(), expected, alteration);
    });
  });

  it('waits with the alteration for a chunk that has prefetched the table', async () => {
    await start(serial, INTRICATE);
    await drain(database, serial);
    const expected = await look();
    let altered: Promise<unknown> = Promise.resolve();
    await atTheGate(INTRICATE, async (chunk) => {
      altered = database.client.query('alter table thing drop column a');
      await waitingFor(chunk);
    });
    await altered;
    expect(await verdicts(database)).toEqual(expected.verdicts);
    const { rows } = await database.client.query<{ a: number }>('select count(*)::int as a from thing');
    expect(rows[0]!.a).toBe(expected.tables.filter((row) => row.startsWith('thing ')).length);
  });
});
