import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Settings } from '../../src/services/config/settings.js';
import { ServiceError } from '../../src/services/errors/service-error.js';
import { MetricsService } from '../../src/services/observability/metrics.service.js';
import type { NewOperation } from '../../src/services/queue/new-operation.js';
import { RetentionService } from '../../src/services/retention/retention.service.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';
import { newOperation, openWorker, type TestWorker } from '../support/worker.js';
import { expectedToStay, readLedger } from './support/retention-model.js';

const FOREVER = new AbortController().signal;
const ROUND_IS_OVER_MS = 60_000;
const DDL = `
  create table parent (id int primary key);
  create table item (id int primary key, parent_id int references parent, name text not null);
`;
/** What a history is in, parents first. */
const TABLES = [
  ...['parent', 'item', 'batch.operations', 'batch.pending', 'batch.delayed', 'batch.chunks', 'batch.outcomes'],
  'batch.parked_notifications',
];
const EMPTY = TABLES.toReversed()
  .map((table) => `delete from ${table};`)
  .join(' ');

type Retention = Settings['retention'];

describe('retention', () => {
  let database: TestDatabase;
  let worker: TestWorker;
  let nextId = 0;

  beforeAll(async () => {
    database = await createTestDatabase();
    await database.client.query(DDL);
    worker = await openWorker(database, { BATCH_PROCESS_OPERATION_LIMIT: '7' });
  });
  afterEach(async () => {
    await database.client.query(`
      drop trigger if exists age on batch.chunks; drop trigger if exists age on batch.outcomes; ${EMPTY}`);
  });
  afterAll(async () => {
    await worker?.close();
    await database?.drop();
  });

  const good = (overrides: Partial<NewOperation> = {}): NewOperation =>
    newOperation({ type: 'insert', target: 'public.item', values: `{"id":${++nextId},"name":"a"}`, ...overrides });
  const bad = (): NewOperation =>
    newOperation({ type: 'insert', target: 'public.item', values: `{"id":${++nextId},"name":null}` });
  /** Fails as long as its parent is not there. */
  const orphan = (): NewOperation => {
    const id = ++nextId;
    return newOperation({
      type: 'insert',
      target: 'public.item',
      values: JSON.stringify({ id, name: 'orphan', parent_id: id }),
    });
  };
  const missed = (): NewOperation =>
    newOperation({ type: 'update', target: 'public.item', key: '{"id":-1}', values: '{"name":"b"}' });

  const query = async <Row>(text: string, values?: unknown[]): Promise<Row[]> =>
    (await database.client.query(text, values)).rows as Row[];
  const idsOf = async (table: 'operations' | 'chunks'): Promise<string[]> =>
    (await query<{ id: string }>(`select id::text from batch.${table} order by 1`)).map(({ id }) => id);

  function retentionOf(retention: Retention, metrics = new MetricsService()): RetentionService {
    return new RetentionService({ retention }, worker.database, metrics);
  }

  /** Steps to the end of a round; answers how many it took. */
  async function sweep(retention: RetentionService): Promise<number> {
    for (let steps = 1; ; steps += 1) if ((await retention.poll()) === ROUND_IS_OVER_MS) return steps;
  }

  async function settleAll(): Promise<void> {
    while ((await query('select from batch.pending limit 1')).length > 0) await worker.job.poll(FOREVER);
  }

  /** As if so many hours had passed since everything that has happened. */
  async function passHours(hours: number): Promise<void> {
    await query("update batch.chunks set settled_at = settled_at - $1 * interval '1 hour'", [hours]);
    await query("update batch.outcomes set settled_at = settled_at - $1 * interval '1 hour'", [hours]);
  }

  /** As if the broker had refused what the chunk has to tell. */
  async function park(chunkId: string | undefined): Promise<void> {
    await query(
      `insert into batch.parked_notifications (chunk_id, source, reason, failures, parked_at, next_try_at)
       select id, 'shop', 'too large', 1, now(), now() from batch.chunks where id = $1 on conflict do nothing`,
      [chunkId],
    );
  }

  /** All that may become of an operation, at different times. */
  async function liveHistory(random: () => number): Promise<void> {
    const chance = (part: number): boolean => random() < part;
    const pick = <T>(items: readonly T[]): T | undefined => items[Math.floor(random() * items.length)];
    const inStatus = async (...statuses: string[]): Promise<string | undefined> =>
      pick(
        await query<{ id: string }>('select id from batch.batch_operations where status = any($1) order by seq', [
          statuses,
        ]),
      )?.id;

    const retryOne = async (): Promise<void> => {
      const id = await inStatus('failed', 'cancelled');
      if (id !== undefined) await worker.queue.retry(id);
    };
    const kinds = [
      good,
      bad,
      orphan,
      missed,
      () => good({ runAt: '2099-01-01T00:00:00Z' }),
      () => good({ priority: 5 }),
    ];

    for (let turn = 0; turn < 40; turn += 1) {
      await worker.queue.enqueue(Array.from({ length: 1 + Math.floor(random() * 6) }, () => pick(kinds)!()));
      if (chance(0.2)) {
        const id = await inStatus('pending', 'scheduled');
        if (id !== undefined) await worker.queue.cancel(id);
      }
      if (chance(0.7)) await worker.job.poll(FOREVER);
      // From now on orphans succeed that failed before.
      if (chance(0.2)) await query('insert into parent select generate_series(1, $1) on conflict do nothing', [nextId]);
      if (chance(0.5)) await retryOne();
      // As a chunk that puts an operation off until it may succeed.
      if (chance(0.2)) {
        await query(`
          with put_off as (
            delete from batch.pending where seq = (select max(seq) from batch.pending) returning *
          )
          insert into batch.delayed (seq, available_at, priority, lane, shape, attempts, reason)
          select seq, '2099-01-01', priority, lane, shape, attempts + 1, 'retry' from put_off`);
      }
      const chunks = await query<{ id: string }>('select id from batch.chunks order by id');
      const notified = [pick(chunks)?.id, pick(chunks)?.id];
      await query('update batch.chunks set notify = true where id = any($1)', [chunks.slice(-2).map(({ id }) => id)]);
      await query('update batch.chunks set notified_at = now() where notify and id = any($1)', [notified]);
      if (chance(0.3)) await park(pick(chunks)?.id);
      // Never a whole number, so that the moment of the test decides nothing.
      if (chance(0.4)) await passHours(Math.floor(random() * 20) + 0.5);
    }
    for (let retries = 0; retries < 3; retries += 1) await retryOne();
  }

  describe.each([1, 2, 3])('after a random history (seed %i)', (seed) => {
    beforeAll(async () => {
      await liveHistory(randomFrom(seed));
      await query('drop schema if exists history cascade; create schema history');
      for (const table of TABLES) await query(`create table history.${table.replace('.', '_')} as table ${table}`);
      await query(EMPTY);
    });
    beforeEach(async () => {
      for (const table of TABLES) {
        await query(`insert into ${table} overriding system value table history.${table.replace('.', '_')}`);
      }
    });

    it.each<Retention>([
      { completedHours: 24, failedHours: 72 },
      { completedHours: 72, failedHours: 24 },
      { completedHours: 48, failedHours: 48 },
      { completedHours: 24, failedHours: 0 },
      { completedHours: 0, failedHours: 24 },
    ])('deletes exactly what is old enough, with $completedHours and $failedHours hours', async (hours) => {
      const before = await readLedger(database);
      const expected = expectedToStay(before, hours);

      await sweep(retentionOf(hours));

      expect(await idsOf('operations')).toEqual(expected.operations);
      expect(await idsOf('chunks')).toEqual(expected.chunks);
      expect(expected.operations.length).toBeLessThan(before.operations.length);
      expect(await query('select seq from batch.outcomes where seq not in (select seq from batch.operations)')).toEqual(
        [],
      );
      // What waited still does its work.
      await settleAll();
      expect(await query(`select id from batch.batch_operations where status = 'pending'`)).toEqual([]);
    });
  });

  it('forgets the id as well: afterwards it is a new operation', async () => {
    const operation = good();
    await worker.queue.enqueue([operation]);
    await settleAll();
    await passHours(25);

    await sweep(retentionOf({ completedHours: 24, failedHours: 24 }));

    expect(await worker.queue.enqueue([operation])).toEqual([{ outcome: 'created', status: 'pending' }]);
    await expect(worker.queue.retry(good().id)).rejects.toMatchObject({ code: 'OPERATION_NOT_FOUND' });
  });

  it('deletes at most 2000 operations in a transaction, and comes again at once', async () => {
    const big = await openWorker(database, { BATCH_PROCESS_OPERATION_LIMIT: '5000' });
    try {
      await worker.queue.enqueue(Array.from({ length: 4500 }, () => good()));
      await big.job.poll(FOREVER);
    } finally {
      await big.close();
    }
    await passHours(25);
    const retention = retentionOf({ completedHours: 24, failedHours: 24 });

    const delays: number[] = [];
    const left: number[] = [];
    for (let step = 0; step < 3; step += 1) {
      delays.push(await retention.poll());
      left.push((await idsOf('operations')).length);
    }

    expect(left).toEqual([2500, 500, 0]);
    expect(delays[0]).toBeLessThan(ROUND_IS_OVER_MS);
    await sweep(retention);
    expect(await idsOf('chunks')).toEqual([]);
  });

  it('lets one process at a time do it', async () => {
    await worker.queue.enqueue([good()]);
    await settleAll();
    await passHours(25);
    const other = await database.client.connect();
    await other.query('begin');
    await other.query('select pg_advisory_xact_lock($1, 1)', [0x0b47c7]);
    try {
      expect(await sweep(retentionOf({ completedHours: 24, failedHours: 24 }))).toBe(1);
      expect(await idsOf('operations')).toHaveLength(1);
    } finally {
      await other.query('rollback');
      other.release();
    }
    await sweep(retentionOf({ completedHours: 24, failedHours: 24 }));
    expect(await idsOf('operations')).toEqual([]);
  });

  it('checks a chunk again whose sources were not notified the first time, when it starts anew', async () => {
    await worker.queue.enqueue([good()]);
    await settleAll();
    await query('update batch.chunks set notify = true');
    await passHours(25);
    const hours = { completedHours: 24, failedHours: 24 };
    await sweep(retentionOf(hours));
    expect(await idsOf('operations')).toHaveLength(1);

    await query('update batch.chunks set notified_at = now()');
    await sweep(retentionOf(hours));
    expect(await idsOf('operations')).toEqual([]);
    expect(await idsOf('chunks')).toEqual([]);
  });

  it('keeps a chunk with a parked notification until it is sent or skipped', async () => {
    await worker.queue.enqueue([good(), orphan()]);
    await settleAll();
    const [chunk] = await idsOf('chunks');
    await park(chunk);
    await passHours(25);
    const hours = { completedHours: 24, failedHours: 24 };
    await sweep(retentionOf(hours));
    expect(await idsOf('operations')).toHaveLength(2);

    await query('delete from batch.parked_notifications');
    await sweep(retentionOf(hours));
    expect(await idsOf('operations')).toEqual([]);
    expect(await idsOf('chunks')).toEqual([]);
  });

  it('removes workers that went without signing off, a day later', async () => {
    await query(`insert into batch.workers (id, name, seen_at) values
      (gen_random_uuid(), 'lost', now() - interval '25 hours'), (gen_random_uuid(), 'quiet', now() - interval '23 hours')`);

    await sweep(retentionOf({ completedHours: 24, failedHours: 24 }));

    const names = (await query<{ name: string }>('select name from batch.workers')).map(({ name }) => name);
    expect(names).toContain('quiet');
    expect(names).not.toContain('lost');
  });

  it('removes bulk actions with their steps, as long after their end as chunks', async () => {
    await query(`
      with action as (
        insert into batch.bulk_actions (id, action, status, filter, matched, last_seq, leased_until, ended_at)
        select gen_random_uuid(), 'retry', status, '{}', 1, 1, now(), ended_at
        from (values ('completed', now() - interval '25 hours'), ('stopped', now() - interval '23 hours'), ('running', null))
          a(status, ended_at)
        returning seq
      )
      insert into batch.bulk_steps (action, seqs) select seq, '{[1,2)}' from action`);

    await sweep(retentionOf({ completedHours: 24, failedHours: 24 }));

    const left = await query<{ status: string; steps: string }>(
      `select status, (select count(*) from batch.bulk_steps s where s.action = a.seq) as steps
       from batch.bulk_actions a order by status`,
    );
    expect(left).toEqual([
      { status: 'running', steps: '1' },
      { status: 'stopped', steps: '1' },
    ]);
    expect(await query('select from batch.bulk_steps')).toHaveLength(2);
    await query('delete from batch.bulk_actions');
  });

  it('counts what it deleted', async () => {
    const metrics = new MetricsService();
    const cancelled = good();
    await worker.queue.enqueue([good(), bad()]);
    await settleAll();
    await worker.queue.enqueue([cancelled]);
    await worker.queue.cancel(cancelled.id);
    await passHours(25);

    await sweep(retentionOf({ completedHours: 24, failedHours: 24 }, metrics));

    const { body } = await metrics.render();
    for (const kind of ['completed', 'failed', 'cancelled', 'chunk']) {
      expect(body).toContain(`batch_retention_deleted_total{kind="${kind}"} 1`);
    }
  });

  it.each([
    { locked: 'outcomes', leaves: ['failed'] },
    { locked: 'operations', leaves: ['completed', 'failed'] },
  ])('waits for nobody: what another has locked of $locked is passed over', async ({ locked, leaves }) => {
    await worker.queue.enqueue([bad(), good()]);
    await settleAll();
    await passHours(25);
    const hours = { completedHours: 24, failedHours: 24 };
    const other = await database.client.connect();
    await other.query('begin');
    await other.query(`select from batch.${locked} for no key update`);
    try {
      await sweep(retentionOf(hours));
      expect(
        (await query<{ status: string }>('select status from batch.batch_operations order by 1')).map(
          ({ status }) => status,
        ),
      ).toEqual(leaves);
      expect(await idsOf('chunks')).toHaveLength(1);
    } finally {
      await other.query('rollback');
      other.release();
    }
    await sweep(retentionOf(hours));
    expect(await idsOf('operations')).toEqual([]);
  });

  it('loses nothing while operations are executed, cancelled and retried beside it, and all is old at once', async () => {
    await query(`
      create or replace function batch.age() returns trigger language plpgsql as
      $$ begin new.settled_at := new.settled_at - interval '100 hours'; return new; end $$;
      create trigger age before insert on batch.chunks for each row execute function batch.age();
      create trigger age before insert on batch.outcomes for each row execute function batch.age()`);
    const retention = retentionOf({ completedHours: 24, failedHours: 24 });
    const random = randomFrom(7);
    const expected = new Map<string, { row: number; lands: boolean }>();
    let done = false;

    const callers = async (): Promise<void> => {
      for (let turn = 0; turn < 150; turn += 1) {
        // Its parent comes later, and with it the retry.
        const child = orphan();
        const row = nextId;
        const plain = good();
        const doomed = good();
        await worker.queue.enqueue([child, plain, doomed]);
        expected.set(plain.id, { row: rowOf(plain), lands: true });
        const cancelled = await succeeds(worker.queue.cancel(doomed.id));
        expected.set(doomed.id, { row: rowOf(doomed), lands: !cancelled });
        if (random() < 0.5) await worker.job.poll(FOREVER);
        await query('insert into parent values ($1)', [row]);
        const tookEffect = (await query('select from item where id = $1', [row])).length > 0;
        const retried = !tookEffect && (await succeeds(worker.queue.retry(child.id)));
        const waits = (await query('select from batch.operations where id = $1', [child.id])).length > 0;
        expected.set(child.id, { row, lands: tookEffect || retried || waits });
        if (cancelled && (await succeeds(worker.queue.retry(doomed.id)))) {
          expected.set(doomed.id, { row: rowOf(doomed), lands: true });
        }
      }
      done = true;
    };
    const cleaner = async (): Promise<void> => {
      while (!done) await retention.poll();
    };
    await Promise.all([callers(), cleaner(), cleaner()]);
    await settleAll();
    await sweep(retentionOf({ completedHours: 24, failedHours: 24 }));

    const landed = new Set((await query<{ id: number }>('select id from item')).map(({ id }) => id));
    const wrong = [...expected.values()].filter(({ row, lands }) => landed.has(row) !== lands);
    expect(wrong).toEqual([]);
    expect([...expected.values()].filter(({ lands }) => !lands).length).toBeGreaterThan(0);
    expect(await idsOf('operations')).toEqual([]);
    expect(await idsOf('chunks')).toEqual([]);
  });
});

const rowOf = ({ row }: NewOperation): number => (JSON.parse(row) as [number])[0];

/** False when the operation was no longer there, or not in a state for it. */
async function succeeds(request: Promise<unknown>): Promise<boolean> {
  try {
    await request;
    return true;
  } catch (error) {
    if (error instanceof ServiceError && /NOT_(FOUND|RETRYABLE|CANCELLABLE)/.test(error.code)) return false;
    throw error;
  }
}

/** The same numbers for the same seed. */
function randomFrom(seed: number): () => number {
  let state = seed * 2_654_435_761;
  return () => {
    state = (Math.imul(state ^ (state >>> 15), 2_246_822_519) + 0x9e3779b9) | 0;
    return ((state ^ (state >>> 13)) >>> 0) / 2 ** 32;
  };
}
