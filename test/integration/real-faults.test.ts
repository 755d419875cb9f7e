import pg from 'pg';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createTestDatabase, type TestDatabase } from '../support/database.js';
import { eventually } from '../support/eventually.js';
import { Saboteur } from '../support/saboteur.js';
import { clientOptions } from '../support/test-databases.js';
import type { TestEnvironment } from '../support/test-settings.js';
import { openWorker, type TestWorker } from '../support/worker.js';
import { DDL, insert, MIXED, ROWS } from './support/fault-cases.js';
import {
  drain,
  dumpTables,
  EMPTY_QUEUE,
  ledgerFaults,
  openWatchedWorker,
  toNewOperation,
  verdicts,
} from './support/queue-session.js';

const FOREVER = new AbortController().signal;
const TABLES = ['owner', 'person', 'tag', 'counter', 'doomed'];
const EMPTY_TABLES = TABLES.toReversed()
  .map((table) => `delete from ${table};`)
  .join(' ');

/** Long enough for the other session to ask for what the chunk has. */
const DEADLOCK_TIMEOUT_MS = 300;

/** Where another session stops the chunk, so that a test can do something to it in the middle. */
const POINTS = [
  {
    point: 'the prefetch',
    hold: `select from person where id = 2 for update`,
    atWork: /for update of t/,
  },
  { point: 'a group', hold: `update counter set free = free where id = 1`, atWork: /execute_plan/ },
  {
    point: 'another group',
    hold: `insert into person (id, email) values (99, 'wanted')`,
    atWork: /execute_plan/,
  },
] as const;

/**
 * Far above what a statement takes that waits for nobody, also on a busy machine: one that is given up by chance is
 * tried again, or stops the chunk at another point.
 */
const STATEMENT_TIMEOUT_MS = '600';

/** The chunk has this row at every point: its prefetch begins with it. */
const ROW_OF_CHUNK = `update person set day = null where id = 1`;

/** Until the poll gives up: let go earlier, and another try would hide an operation that was blamed. */
const holdOn = (_: number, polled: Promise<unknown>): Promise<unknown> => polled;

describe('a chunk that meets a real fault', () => {
  const saboteur = new Saboteur();
  let database: TestDatabase;
  let other: pg.Client;
  /** Stores the operations: with the usual time-outs. */
  let intake: TestWorker;
  let expected: Awaited<ReturnType<typeof look>>;

  beforeAll(async () => {
    database = await createTestDatabase();
    await database.client.query(DDL);
    await database.client.query(`alter database ${database.name} set deadlock_timeout = '${DEADLOCK_TIMEOUT_MS}ms'`);
    other = new pg.Client(clientOptions(database.connection));
    await other.connect();
    // It is never the one that gives up.
    await other.query(`set deadlock_timeout = '1min'`);
    intake = await openWorker(database);
    const serial = await openWorker(database, { BATCH_EXECUTION_MODE: 'serial' });
    await start(serial);
    await drain(database, serial);
    expected = await look();
    await serial.close();
  });
  beforeEach(() => database.client.query(EMPTY_TABLES + EMPTY_QUEUE + ROWS));
  afterAll(async () => {
    await other?.end();
    await intake?.close();
    await database?.drop();
  });

  async function start({ queue }: Pick<TestWorker, 'queue'>): Promise<void> {
    await database.client.query(EMPTY_TABLES + EMPTY_QUEUE + ROWS);
    await queue.enqueue(MIXED.map((operation) => toNewOperation(operation)));
  }

  const look = async () => ({
    verdicts: await verdicts(database),
    tables: await dumpTables(database, TABLES),
    faults: await ledgerFaults(database),
  });

  /** The process that serves the blocked connection. */
  const blocked = (): Promise<number> =>
    eventually(
      async () => {
        const { rows } = await database.client.query<{ pid: number }>(
          `select pid from pg_stat_activity where $1 = any(pg_blocking_pids(pid)) and datname = current_database()`,
          [(other as unknown as { processID: number }).processID],
        );
        expect(rows).toHaveLength(1);
        return rows[0]!.pid;
      },
      { intervalMs: 5 },
    );

  /** Stops a chunk at the point, does something to it, lets go, and sees that all is as if nothing had been. */
  async function meddle(
    { hold, atWork }: (typeof POINTS)[number],
    sqlState: RegExp,
    work: (pid: number, polled: Promise<unknown>) => Promise<unknown>,
    environment: TestEnvironment = {},
  ): Promise<void> {
    const worker = await openWatchedWorker(database, saboteur, environment);
    try {
      await start(intake);
      await other.query('begin');
      await other.query(hold);
      saboteur.arm();
      const polled = Promise.allSettled([worker.job.poll(FOREVER)]);
      const pid = await blocked();
      expect(saboteur.sent).toContainEqual(expect.stringMatching(atWork));
      expect(saboteur.met).not.toContainEqual(expect.stringMatching(sqlState));
      await work(pid, polled);
      await eventually(() => expect(saboteur.met).toContainEqual(expect.stringMatching(sqlState)), { intervalMs: 5 });
      await other.query('rollback');
      await polled;
    } finally {
      await other.query('rollback');
      saboteur.disarm();
      await worker.close();
    }
    // Another one, which leaves no lane alone.
    const finisher = await openWorker(database);
    await drain(database, finisher).finally(() => finisher.close());
    expect(await look()).toEqual(expected);
  }

  describe.each(POINTS)('in the middle of $point', (point) => {
    it('blames nobody for a deadlock', () => meddle(point, /^40P01$/, () => other.query(ROW_OF_CHUNK)));

    it('blames nobody for a lock that it waited for too long', () =>
      meddle(point, /^55P03$/, holdOn, { BATCH_LOCK_TIMEOUT: '50' }));

    it('blames nobody for its statement being cancelled', () =>
      meddle(point, /^57014$/, (pid) => database.client.query('select pg_cancel_backend($1)', [pid])));

    it('blames nobody for a statement timeout', () =>
      meddle(point, /^57014$/, holdOn, { BATCH_STATEMENT_TIMEOUT: STATEMENT_TIMEOUT_MS }));

    it('blames nobody for a connection that the server ended', () =>
      meddle(point, /^57P01$|Connection terminated/, (pid) =>
        database.client.query('select pg_terminate_backend($1)', [pid]),
      ));
  });

  it('fails an operation because of the row that it waited for, once that is committed', async () => {
    const worker = await openWatchedWorker(database, saboteur, {});
    await start(worker);
    await other.query('begin');
    await other.query(POINTS[2].hold);
    saboteur.arm();
    const polled = worker.job.poll(FOREVER);
    await blocked();
    await other.query('commit');
    await polled;
    saboteur.disarm();
    await worker.close();
    const wanting = MIXED.findIndex(({ values }) => values?.email === 'wanted');
    const found = await look();
    expect(found.verdicts[wanting]).toBe('failed 0 UNIQUE_VIOLATION 23505 person_email_key');
    expect(found.verdicts.toSpliced(wanting, 1)).toEqual(expected.verdicts.toSpliced(wanting, 1));
  });

  describe('whose statements are slow', () => {
    const asleep = (id: number, seconds: number) => insert('slow', { id, seconds });
    beforeAll(() =>
      database.client.query(
        `create table slow (id int primary key, seconds numeric check (pg_sleep(seconds) is not null and id <> 13))`,
      ),
    );
    beforeEach(() => database.client.query('truncate slow'));

    it('executes them in parts, and fails the bad ones', async () => {
      const worker = await openWatchedWorker(database, saboteur, { BATCH_STATEMENT_TIMEOUT: STATEMENT_TIMEOUT_MS });
      await intake.queue.enqueue(Array.from({ length: 16 }, (_, id) => toNewOperation(asleep(id, 0.06))));
      saboteur.arm();
      await drain(database, worker);
      saboteur.disarm();
      await worker.close();
      expect(saboteur.met).toContain('57014');
      expect((await database.client.query('select 1 from slow')).rowCount).toBe(15);
      expect(await verdicts(database)).toEqual(
        Array.from({ length: 16 }, (_, id) =>
          id === 13 ? (expect.stringMatching(/^failed 0 CHECK_VIOLATION 23514 slow_check/) as string) : 'completed 1',
        ),
      );
    });

    it('lets one that is too slow by itself wait with its lane, and goes on with the others', async () => {
      const hurried = await openWatchedWorker(database, saboteur, { BATCH_STATEMENT_TIMEOUT: STATEMENT_TIMEOUT_MS });
      await intake.queue.enqueue([
        toNewOperation(asleep(1, 0)),
        toNewOperation(asleep(2, 1.2)),
        toNewOperation(asleep(3, 0)),
        toNewOperation(insert('owner', { id: 100 })),
        toNewOperation(insert('owner', { id: 1 })),
      ]);
      await hurried.job.poll(FOREVER).catch(() => undefined);
      await hurried.job.poll(FOREVER).catch(() => undefined);
      await hurried.close();
      const refused = 'failed 0 UNIQUE_VIOLATION 23505 owner_pkey';
      const waiting = 'pending 0 attempts';
      expect(await verdicts(database)).toEqual(['completed 1', waiting, waiting, 'completed 1', refused]);
      const patient = await openWorker(database);
      await drain(database, patient).finally(() => patient.close());
      expect((await verdicts(database)).slice(0, 3)).toEqual(Array(3).fill('completed 1'));
    });
  });
});
