import { randomUUID } from 'node:crypto';
import { enqueue, queueConnection } from 'batch-service/worker';
import { Queue } from 'bullmq';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createTestDatabase, type TestDatabase } from '../../../test/support/database.js';
import { eventually } from '../../../test/support/eventually.js';
import { startExampleProgram } from '../../../test/support/example.js';
import type { ObservedProcess } from '../../../test/support/observed-process.js';
import { RESERVATION_QUEUE, RESERVE, type ReservationAnswer } from '../src/reservation-job.js';
import { CONSUMER_TABLES } from '../src/schema.sql.js';
import { check } from '../src/show/check.js';
import type { SeatRequest } from '../src/show/requests.js';

const EVENT = 1;
const SEATS = 8;
const REQUESTS = 12;
const PATIENT = { timeoutMs: 30_000 };

/** The consumer of the example, and consumers that lack one of its protections. */
describe('the check of the answers', () => {
  const consumers: ObservedProcess[] = [];
  let database: TestDatabase;
  let environment: NodeJS.ProcessEnv;
  let queue: Queue | undefined;

  beforeEach(async () => {
    database = await createTestDatabase({ migrated: false });
    await database.client.query(CONSUMER_TABLES);
    await database.client.query('insert into events (id, seats) values ($1, $2)', [EVENT, SEATS]);
    const { host, port, username: user, password, database: name } = database.connection;
    const instance = { dbms: 'postgres', host, port, user, password, database: name, poolSize: REQUESTS + 1 };
    environment = {
      WORKER_NAME: 'consumer',
      WORKER_CONCURRENCY: String(REQUESTS),
      WORKER_LOCK_SECONDS: '2',
      // With the queue in the database too, each test has a queue of its own.
      WORKER_QUEUE_INSTANCE: 'default',
      DATABASE_CONFIG: JSON.stringify({ instances: { default: instance } }),
    };
  });
  afterEach(async () => {
    for (const consumer of consumers.splice(0)) await consumer.end();
    await queue?.close();
    queue = undefined;
    await database?.drop();
  });

  async function start(program: string, more: NodeJS.ProcessEnv = {}): Promise<ObservedProcess> {
    const consumer = startExampleProgram('reservation', program, { ...environment, ...more });
    consumers.push(consumer);
    await consumer.said('worker.up');
    return consumer;
  }

  async function add(count: number): Promise<SeatRequest[]> {
    queue = new Queue(RESERVATION_QUEUE, { connection: queueConnection(environment) });
    const requests = Array.from({ length: count }, (_, index) => ({ id: randomUUID(), userId: index + 1 }));
    for (const { id, userId } of requests) {
      await enqueue(queue, { type: RESERVE, targetId: id, data: { eventId: EVENT, userId }, attempts: 1 });
    }
    return requests;
  }

  /** Waits until each job is completed or failed. */
  const ended = (count: number): Promise<void> =>
    eventually(async () => {
      const { completed = 0, failed = 0 } = await queue!.getJobCounts('completed', 'failed');
      expect(completed + failed).toBe(count);
    }, PATIENT);

  async function faults(seats: number, requests: readonly SeatRequest[]): Promise<string[]> {
    const { rows } = await database.client.query<{ request_id: string } & ReservationAnswer>(
      'select request_id, answer, seat from answers where event_id = $1',
      [EVENT],
    );
    const answers = new Map<string, ReservationAnswer[]>();
    for (const { request_id: id, ...answer } of rows) answers.set(id, [...(answers.get(id) ?? []), answer]);
    return check({ seats, requests, answers });
  }

  /** Transactions of the consumer that wait for a lock. */
  async function waitingTransactions(): Promise<number> {
    const { rows } = await database.client.query<{ count: number }>(
      `select count(distinct pid)::int as count
       from pg_locks
       where not granted
         and pid in (select pid from pg_locks where relation = 'events'::regclass)`,
    );
    return rows[0]!.count;
  }

  it.each<[consumer: string, program: string, constrained: boolean, found: string[]]>([
    ['the consumer of the example', 'src/consumer/main', true, []],
    [
      'a consumer without `taken < seats`, whom the constraint of the table refuses',
      'test/programs/consumer-without-condition',
      true,
      ['4 requests do not have exactly one answer'],
    ],
    [
      'a consumer without `taken < seats`, in a table without the constraint',
      'test/programs/consumer-without-condition',
      false,
      ['12 requests have a seat, and not 8', ...[9, 10, 11, 12].map((seat) => `There is no seat ${seat}`)],
    ],
  ])('finds what %s does with 12 requests at once for 8 seats', async (_, program, constrained, found) => {
    if (!constrained) await database.client.query('alter table events drop constraint events_check');
    await start(program);
    // The event is locked until each request has seen that there are seats, so that all of them try to take one.
    await database.client.query('begin');
    await database.client.query('select from events where id = $1 for update', [EVENT]);
    const requests = await add(REQUESTS);
    await eventually(async () => expect(await waitingTransactions()).toBe(REQUESTS), PATIENT);
    await database.client.query('commit');
    await ended(REQUESTS);

    const all = await faults(SEATS, requests);

    expect(all.sort()).toEqual([...found].sort());
  });

  it.each<[consumer: string, RUN_ONCE: string, unique: boolean, failed: number, found: string[]]>([
    ['with `runOnce`', 'true', true, 0, []],
    ['without `runOnce`, whom the key of the table refuses: its job has failed', 'false', true, 1, []],
    ['without `runOnce`, in a table without the key', 'false', false, 0, ['1 requests do not have exactly one answer']],
  ])('finds what a consumer does that dies after its commit, %s', async (_, RUN_ONCE, unique, failed, found) => {
    if (!unique) await database.client.query('alter table answers drop constraint answers_pkey');
    const first = await start('test/programs/consumer-that-dies', { RUN_ONCE, DIE: 'true' });
    const requests = await add(1);
    expect(await first.exited).toBe('SIGKILL');
    const second = await start('test/programs/consumer-that-dies', { RUN_ONCE });
    await second.said('job.stalled');
    await ended(1);

    expect(await queue!.getJobCounts('failed')).toEqual({ failed });
    expect((await faults(1, requests)).filter((fault) => !fault.startsWith(`${requests[0]!.id} `))).toEqual(found);
  });
});
