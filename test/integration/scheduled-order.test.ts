import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FULL_ACCESS } from '../../src/services/access/access.js';
import { IntakeService } from '../../src/services/intake/intake.service.js';
import { startTestApp, type TestApp } from '../support/app.js';
import { eventually } from '../support/eventually.js';

const LIMIT = 10;

let service: TestApp;
let intake: IntakeService;

beforeEach(async () => {
  service = await startTestApp(
    {
      BATCH_SERVICE_RMQ_URL: '',
      BATCH_MAX_SCHEDULED: String(LIMIT),
      BATCH_BACKLOG_SHARE: '100',
      BATCH_PROCESS_OPERATION_INTERVAL: '50',
    },
    {
      schema: `
        create table others (id int generated always as identity primary key, note text);
        create table steps (id int primary key, last text, history text not null default '');
        insert into steps (id) values (1);
        create function remember() returns trigger language plpgsql as $$
          begin new.history := old.history || new.last || ' '; return new; end $$;
        create trigger remember before update on steps for each row execute function remember()`,
    },
  );
  intake = service.app.get(IntakeService);
});
afterEach(() => service.close());

const write = (last: string, more: object = {}): object => ({
  operationType: 'update',
  target: 'steps',
  key: { id: 1 },
  values: { last },
  ...more,
});
const inFuture = (ms: number): string => new Date(Date.now() + ms).toISOString();

/** Another caller, who has nothing to do with the row. */
const OTHER = { ...FULL_ACCESS, user: 'other' };
const probe = (): Promise<unknown> =>
  intake.accept(
    { operationType: 'insert', target: 'others', values: { note: 'a' }, runAt: inFuture(86_400_000) },
    OTHER,
  );

/** As many as may wait, and the service has seen so. Then they are gone, which it has not seen. */
async function fillScheduled(): Promise<void> {
  const { client } = service.database;
  await client.query(
    `insert into batch.delayed (seq, available_at, priority, lane, shape, reason)
     select 1000000 + n, now() + interval '1 year', 0, 1, 1, 'scheduled' from generate_series(1, $1::int) n`,
    [LIMIT],
  );
  await eventually(() => expect(probe()).rejects.toMatchObject({ code: 'QUEUE_FULL' }));
  await client.query('delete from batch.delayed where seq > 1000000');
}

/** Until a count has begun, which cannot end while the table is locked. */
async function awaitCount(probes: Promise<unknown>[]): Promise<void> {
  await eventually(async () => {
    probes.push(probe().catch((error: unknown) => error));
    const { rows } = await service.database.client.query<{ n: number }>(
      `select count(*)::int as n from pg_stat_activity
       where datname = current_database() and wait_event_type = 'Lock' and query like '%as settled%'`,
    );
    expect(rows[0]!.n).toBeGreaterThan(0);
  });
}

describe('what one caller sends without waiting', () => {
  it('takes effect in the order of sending, also where the first of it awaits the count of what is scheduled', async () => {
    await fillScheduled();
    const { client } = service.database;
    const counting = await client.connect();
    const probes: Promise<unknown>[] = [];
    let sent: Promise<unknown>[];
    try {
      await counting.query('begin');
      await counting.query('lock table batch.delayed in access exclusive mode');
      await awaitCount(probes);
      const list = [write('scheduled', { runAt: inFuture(5000) }), write('listed')];
      sent = [intake.acceptMany({ operations: list }, FULL_ACCESS), intake.accept(write('single'), FULL_ACCESS)];
      // Without turns the single one would be handed over to the database meanwhile.
      await new Promise((resolve) => setTimeout(resolve, 300));
    } finally {
      await counting.query('commit');
      counting.release();
    }
    await Promise.all(probes);
    expect(await Promise.all(sent)).toMatchObject([
      { results: [{ status: 'scheduled' }, { status: 'pending' }] },
      { status: 'pending' },
    ]);
    const { rows: stored } = await client.query<{ last: string }>(
      `select "values"->>'last' as last from batch.batch_operations where target = 'public.steps' order by seq`,
    );
    expect(stored.map(({ last }) => last)).toEqual(['scheduled', 'listed', 'single']);
    await eventually(
      async () => {
        const { rows } = await client.query<{ history: string }>('select history from steps');
        expect(rows).toEqual([{ history: 'listed single scheduled ' }]);
      },
      { timeoutMs: 15_000 },
    );
  });
});
