import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { NewOperation } from '../../src/services/queue/new-operation.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';
import { eventually } from '../support/eventually.js';
import { OWN_LOCKS } from '../support/own-locks.js';
import { newOperation, type Requested, openWorker, type TestWorker } from '../support/worker.js';
import { comeBack, drain, fates, ledgerFaults } from './support/queue-session.js';

const FOREVER = new AbortController().signal;
/** Nothing comes back by itself. */
const PATIENT = { BATCH_OPERATION_RETRY_DELAY: '3600000' };

interface Row {
  [column: string]: unknown;
}

const on = (retryOn: NonNullable<NewOperation['retryOn']>, retryLimit = 3): Partial<Requested> => ({
  retryLimit,
  retryOn,
});
const insert = (table: string, values: Row, more: Partial<Requested> = {}): NewOperation =>
  newOperation({ type: 'insert', target: `public.${table}`, values: JSON.stringify(values), ...more });
const upsert = (table: string, values: Row, more: Partial<Requested> = {}): NewOperation =>
  newOperation({
    type: 'upsert',
    target: `public.${table}`,
    values: JSON.stringify(values),
    conflictKey: ['id'],
    ...more,
  });
const update = (table: string, key: Row, values: Row, more: Partial<Requested> = {}): NewOperation =>
  newOperation({
    ...{ type: 'update', target: `public.${table}` },
    ...{ key: JSON.stringify(key), values: JSON.stringify(values) },
    ...more,
  });
const remove = (table: string, key: Row, more: Partial<Requested> = {}): NewOperation =>
  newOperation({ type: 'delete', target: `public.${table}`, key: JSON.stringify(key), ...more });

describe('operations that may be tried again', () => {
  let database: TestDatabase;
  let worker: TestWorker;
  const opened: TestWorker[] = [];

  beforeAll(async () => {
    database = await createTestDatabase();
    await database.client.query(`
      create extension citext;
      create table owner (id int primary key);
      create table item (
        id int primary key, code text constraint item_code_key unique,
        owner_id int constraint item_owner_fkey references owner, boss int constraint item_boss_fkey references item,
        n int not null default 0, during int4range, constraint item_during_excl exclude using gist (during with &&)
      );
      create table change (id int primary key, item int not null, n int not null)`);
    worker = await open();
  });
  afterEach(async () => {
    while (opened.length > 1) await opened.pop()!.close();
  });
  afterAll(async () => {
    await worker?.close();
    await database?.drop();
  });
  beforeEach(async () => {
    await database.client.query(`
      drop table if exists thing;
      truncate item, owner, batch.operations, batch.pending, batch.delayed, batch.outcomes, batch.chunks`);
  });

  async function open(environment: Parameters<typeof openWorker>[1] = {}): Promise<TestWorker> {
    const another = await openWorker(database, { ...PATIENT, ...environment });
    opened.push(another);
    return another;
  }

  async function execute(...operations: NewOperation[]): Promise<string[]> {
    await worker.queue.enqueue(operations);
    await drain(database, worker);
    return fates(database);
  }

  async function nextRound(): Promise<string[]> {
    await comeBack(database, worker);
    await drain(database, worker);
    return fates(database);
  }

  async function rows(sql: string): Promise<unknown[]> {
    return (await database.client.query<Row>(sql)).rows.map((row) => Object.values(row));
  }

  it('wait for a parent that arrives later', async () => {
    const child = insert('item', { id: 1, owner_id: 7 }, on(['missing_parent']));
    expect(await execute(child)).toEqual(['scheduled retry MISSING_PARENT, attempts 1']);
    expect(await nextRound()).toEqual(['scheduled retry MISSING_PARENT, attempts 2']);
    await execute(insert('owner', { id: 7 }));
    expect(await nextRound()).toEqual(['completed 1, attempts 3', 'completed 1, attempts 1']);
    expect(await rows('select id, owner_id from item')).toEqual([[1, 7]]);
  });

  it('wait for a row that arrives later, whose insert does not wait behind them', async () => {
    const late = update('item', { id: 1 }, { n: 5 }, { mustExist: true, ...on(['missing_row']) });
    expect(await execute(late, insert('item', { id: 1 }))).toEqual([
      'scheduled retry ROW_NOT_FOUND, attempts 1',
      'completed 1, attempts 1',
    ]);
    expect((await nextRound())[0]).toBe('completed 1, attempts 2');
    expect(await rows('select id, n from item')).toEqual([[1, 5]]);
  });

  it.each([
    ['a value', { id: 2, code: 'x' }, 'UNIQUE_VIOLATION', '23505 item_code_key'],
    ['a time', { id: 2, during: '[5,9)' }, 'EXCLUSION_VIOLATION', '23P01 item_during_excl'],
  ])('wait for %s that another row gives up', async (_, values, code, verdict) => {
    await database.client.query(`insert into item (id, code, during) values (1, 'x', '[1,6)')`);
    const second = insert('item', values, on(['conflict'], 2));
    expect(await execute(second)).toEqual([`scheduled retry ${code}, attempts 1`]);
    await execute(remove('item', { id: 1 }));
    expect(await nextRound()).toEqual(['completed 1, attempts 2', 'completed 1, attempts 1']);
    // Another one has no such luck.
    await execute(insert('item', { ...values, id: 3 }, on(['conflict'], 1)));
    expect((await nextRound())[2]).toBe(`failed ${code} ${verdict}, attempts 2`);
  });

  it('fail at the limit with code and attempts, and get one more try from a manual retry', async () => {
    const child = insert('item', { id: 1, owner_id: 7 }, on(['missing_parent'], 2));
    await execute(child);
    await nextRound();
    const failed = 'failed MISSING_PARENT 23503 item_owner_fkey, attempts 3';
    expect(await nextRound()).toEqual([failed]);
    await worker.queue.retry(child.id);
    await drain(database, worker);
    expect(await fates(database)).toEqual([failed.replace('attempts 3', 'attempts 4')]);
    await worker.queue.retry(child.id);
    await database.client.query('insert into owner values (7)');
    await drain(database, worker);
    expect(await fates(database)).toEqual(['completed 1, attempts 5']);
  });

  it('fail at once for what they do not wait for', async () => {
    expect(await execute(insert('item', { id: 1, owner_id: 7 }, on(['conflict'])))).toEqual([
      'failed MISSING_PARENT 23503 item_owner_fkey, attempts 1',
    ]);
  });

  it('hold up what follows on their row, and nothing else', async () => {
    const operations = [
      insert('item', { id: 1, owner_id: 7 }, on(['missing_parent'])),
      insert('item', { id: 2 }),
      update('item', { id: 1 }, { n: 1, code: 'x' }),
      update('item', { code: 'x' }, { n: 2 }),
      update('item', { id: 2 }, { n: 9 }),
      update('item', { id: 1 }, { n: 3 }),
    ];
    expect(await execute(...operations)).toEqual([
      'scheduled retry MISSING_PARENT, attempts 1',
      'completed 1, attempts 1',
      'scheduled blocked, attempts 0',
      'scheduled blocked, attempts 0',
      'completed 1, attempts 1',
      'scheduled blocked, attempts 0',
    ]);
    // One that comes in a later chunk waits as well; what another one waits for does not.
    await execute(update('item', { id: 1 }, { n: 4 }), insert('owner', { id: 7 }));
    expect(await nextRound()).toEqual([
      'completed 1, attempts 2',
      ...Array.from({ length: 7 }, () => 'completed 1, attempts 1'),
    ]);
    expect(await rows('select id, code, n from item order by id')).toEqual([
      [1, 'x', 4],
      [2, null, 9],
    ]);
  });

  it('are undone with their followers, so that operations that depend on those are deferred too', async () => {
    await database.client.query(`insert into item (id, code) values (-1, 'taken')`);
    // Each upsert makes the row that the next insert refers to, and follows on the row of a deferred insert.
    const chain = [insert('item', { id: 1, code: 'taken' }, on(['conflict'])), upsert('item', { id: 1, n: 1 })];
    for (let id = 2; id <= 4; id += 1) {
      chain.push(insert('item', { id, boss: id - 1 }, on(['missing_parent'])), upsert('item', { id, n: id }));
    }
    const found = await execute(...chain, insert('item', { id: 9 }));
    expect(found).toEqual([
      'scheduled retry UNIQUE_VIOLATION, attempts 1',
      'scheduled blocked, attempts 0',
      ...[2, 3, 4].flatMap(() => ['scheduled retry MISSING_PARENT, attempts 1', 'scheduled blocked, attempts 0']),
      'completed 1, attempts 1',
    ]);
    expect(await rows('select id from item order by id')).toEqual([[-1], [9]]);
    await database.client.query('delete from item where id = -1');
    expect((await nextRound()).every((fate) => fate.startsWith('completed 1'))).toBe(true);
    expect(await rows('select id, n from item order by id')).toEqual([
      [1, 1],
      [2, 2],
      [3, 3],
      [4, 4],
      [9, 0],
    ]);
  });

  it('are decided by smaller chunks where one would take too many rounds', async () => {
    await database.client.query(`insert into item (id, code) values (-1, 'taken')`);
    const chain = [insert('item', { id: 1, code: 'taken' }, on(['conflict'])), upsert('item', { id: 1 })];
    for (let id = 2; id <= 14; id += 1) {
      chain.push(insert('item', { id, boss: id - 1 }, on(['missing_parent'])), upsert('item', { id }));
    }
    const found = await execute(...chain);
    expect(found.filter((fate) => fate.startsWith('scheduled retry'))).toHaveLength(14);
    expect(found.filter((fate) => fate.startsWith('scheduled blocked'))).toHaveLength(14);
    expect((await worker.metrics.render()).body).toMatch(/batch_chunk_retries_total [1-9]/);
    expect(await rows('select id from item')).toEqual([[-1]]);
  });

  it('do not hold up what they wait for, nor what has a higher priority', async () => {
    await database.client.query(`insert into item (id) values (1)`);
    await execute(insert('item', { id: 1, n: 1 }, on(['conflict'])));
    const found = await execute(
      update('item', { id: 1 }, { n: 8 }, { priority: 1 }),
      remove('item', { id: 1 }),
      update('item', { id: 1 }, { n: 2 }),
    );
    expect(found.slice(1)).toEqual([
      'completed 1, attempts 1',
      'completed 1, attempts 1',
      'scheduled blocked, attempts 0',
    ]);
    await nextRound();
    expect(await rows('select n from item')).toEqual([[2]]);
  });

  it('let what follows go on when they are cancelled', async () => {
    const first = insert('item', { id: 1, owner_id: 7 }, on(['missing_parent']));
    const behind = upsert('item', { id: 1, n: 2 });
    await execute(first, behind);
    await worker.queue.cancel(first.id);
    expect(await fates(database)).toEqual(['cancelled, attempts 1', 'scheduled blocked, attempts 0']);
    expect(await nextRound()).toEqual(['cancelled, attempts 1', 'completed 1, attempts 1']);
    expect(await rows('select n from item')).toEqual([[2]]);
  });

  it('are settled once, with one notification, in the chunk that decides', async () => {
    await execute(insert('item', { id: 1, owner_id: 7 }, on(['missing_parent'])), insert('item', { id: 2 }));
    await execute(update('item', { id: 1 }, { n: 1 }));
    await database.client.query('insert into owner values (7)');
    await nextRound();
    expect(await ledgerFaults(database)).toEqual([]);
    expect(await rows('select operations, deferred from batch.chunks order by id')).toEqual([
      [1, 1],
      [2, 0],
    ]);
    expect((await worker.metrics.render()).body).toMatch(
      /batch_operation_retries_total\{reason="missing_parent"\} [1-9]/,
    );
  });

  it('stay pending when their worker dies before they are deferred', async () => {
    const doomed = await open();
    await worker.queue.enqueue([
      insert('item', { id: 1, owner_id: 7 }, on(['missing_parent'])),
      update('item', { id: 1 }, { n: 1 }),
    ]);
    const blocker = await database.client.connect();
    try {
      await blocker.query('begin');
      await blocker.query('lock table batch.delayed in access exclusive mode');
      const polled = doomed.job.poll(FOREVER).catch((error: Error) => error);
      await eventually(async () => {
        const { rowCount } = await blocker.query(`
          select pg_terminate_backend(pid) from ${OWN_LOCKS}
          where relation = 'batch.delayed'::regclass and not granted`);
        expect(rowCount).toBeGreaterThan(0);
      });
      await polled;
    } finally {
      await blocker.query('rollback');
      blocker.release();
    }
    expect(await drain(database, worker)).toEqual([]);
    expect(await fates(database)).toEqual([
      'scheduled retry MISSING_PARENT, attempts 1',
      'scheduled blocked, attempts 0',
    ]);
  });

  it('do not come back between the claim of what follows and its look at what waits', async () => {
    await execute(insert('item', { id: 1, owner_id: 7 }, on(['missing_parent'])));
    await worker.queue.enqueue([update('item', { id: 1 }, { n: 1 })]);
    const other = await open();
    await database.client.query(`update batch.delayed set available_at = now() - interval '1 s'`);
    const waiting = () => rows('select attempts from batch.delayed');
    await worker.database.transaction(async (tx) => {
      const claim = await worker.claims.claim(tx, { limit: 10, maxLanes: 8, lanes: 'healthy' });
      expect(claim).toMatchObject({ releasesBlocked: true, operations: [{ storedAs: { type: 'update' } }] });
      await other.queue.releaseDue();
      expect(await waiting()).toEqual([[1]]);
      await worker.claims.allowReleases(tx);
      await other.queue.releaseDue();
      expect(await waiting()).toEqual([]);
    });
  });

  it.each<[what: string, key: string, type: string, one: unknown, other: unknown, third: unknown]>([
    ['numbers by value', 'k', 'numeric', '1.0', 1, '1.01'],
    ['numbers as they are kept', 'k', 'numeric(6, 2)', '1.001', '1.00', '1.01'],
    ['text whatever its case', 'k', 'citext', 'Ada', 'ADA', 'Eda'],
    ['text under a collation', 'k', 'text collate no_case', 'Ada', 'ADA', 'Eda'],
    ['text to its blanks', 'k', 'char(5)', 'a', 'a  ', 'b'],
    [
      'times across zones',
      'k',
      'timestamptz',
      '2030-01-01T12:00:00Z',
      '2030-01-01 14:00:00+02',
      '2030-01-01T14:00:00Z',
    ],
    ['arrays', 'k', 'int[]', [1, 2], [1.0, 2], [2, 1]],
    ['all values of a type that cannot be hashed', 'k', 'money', '1.00', '$1', undefined],
    ['composite keys', 'k, part', 'citext', 'Ada', 'ADA', 'Eda'],
  ])('compare %s', async (_, key, type, one, other, third) => {
    await database.client.query(`
      create collation if not exists no_case (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
      create table thing (k ${type}, part int default 1, owner_id int references owner, n int default 0, primary key (${key}))`);
    worker.catalog.invalidate();
    const keyOf = (k: unknown) => (key === 'k' ? { k } : { part: 1, k });
    const found = await execute(
      insert('thing', { k: one, part: 1, owner_id: 7 }, on(['missing_parent'])),
      update('thing', keyOf(other), { n: 1 }),
      ...(third === undefined ? [] : [update('thing', keyOf(third), { n: 2 })]),
    );
    expect(found.slice(0, 2)).toEqual(['scheduled retry MISSING_PARENT, attempts 1', 'scheduled blocked, attempts 0']);
    if (third !== undefined) expect(found[2]).toBe('completed 0, attempts 1');
    await execute(update('thing', keyOf(other), { n: 3 }));
    await database.client.query('insert into owner values (7)');
    const fulfilled = await nextRound();
    expect([fulfilled[0], fulfilled[1], fulfilled.at(-1)]).toEqual([
      'completed 1, attempts 2',
      'completed 1, attempts 1',
      'completed 1, attempts 1',
    ]);
    expect(await rows('select n from thing')).toEqual([[3]]);
  });

  it('are not held up by a value that is none of its type', async () => {
    await database.client.query('create table thing (k inet primary key, owner_id int references owner, n int)');
    worker.catalog.invalidate();
    const found = await execute(
      insert('thing', { k: '10.0.0.1', owner_id: 7 }, on(['missing_parent'])),
      update('thing', { k: 'nowhere' }, { n: 1 }),
      update('thing', { k: '10.0.0.1/32' }, { n: 1 }),
      update('thing', { k: '10.0.0.2' }, { n: 1 }),
    );
    expect(found.map((fate) => fate.split(',')[0])).toEqual([
      'scheduled retry MISSING_PARENT',
      'failed INVALID_VALUE 22P02',
      'scheduled blocked',
      'completed 0',
    ]);
  });

  it('keep the order of each row with two workers that come back by themselves', async () => {
    const quick = { BATCH_OPERATION_RETRY_DELAY: '3', BATCH_PROCESS_OPERATION_LIMIT: '7' };
    const pair = [await open(quick), await open(quick)];
    await database.client.query(`
      create or replace function note() returns trigger language plpgsql as
        $$ begin insert into change select coalesce(max(id), 0) + 1, new.id, new.n from change; return new; end $$;
      create trigger note after update on item for each row execute function note()`);
    worker.catalog.invalidate();
    const operations: NewOperation[] = [];
    for (let n = 1; n <= 30; n += 1) {
      for (const id of [1, 2, 3]) {
        operations.push(
          n === 1
            ? insert('item', { id, owner_id: id }, on(['missing_parent'], 100))
            : update('item', { id }, { n }, { mustExist: true }),
        );
      }
    }
    let polls = 0;
    const ended = new AbortController();
    const loops = pair.map(async ({ job }) => {
      while (!ended.signal.aborted) {
        await job.poll(FOREVER);
        polls += 1;
      }
    });
    try {
      await worker.queue.enqueue(operations.slice(0, 60));
      await eventually(async () =>
        expect(await rows('select 1 from batch.delayed where attempts > 0')).toHaveLength(3),
      );
      for (const id of [3, 1]) await worker.queue.enqueue([insert('owner', { id })]);
      await worker.queue.enqueue(operations.slice(60));
      await worker.queue.enqueue([insert('owner', { id: 2 })]);
      await eventually(
        async () => expect(await rows(`select 1 from batch.batch_operations where status <> 'completed'`)).toEqual([]),
        { timeoutMs: 20_000 },
      );
    } finally {
      ended.abort();
      await Promise.all(loops);
    }
    expect(polls).toBeGreaterThan(10);
    const ascending = Array.from({ length: 29 }, (_, index) => index + 2);
    for (const id of [1, 2, 3]) {
      expect(await rows(`select n from change where item = ${id} order by id`)).toEqual(ascending.map((n) => [n]));
    }
    await database.client.query('drop trigger note on item');
    worker.catalog.invalidate();
  });
});
