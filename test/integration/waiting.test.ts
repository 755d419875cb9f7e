import pg from 'pg';
import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import type { IBatchOperation } from '../../src/interfaces/operation.js';
import type { IWaiting } from '../../src/interfaces/waiting.js';
import { startTestApp, type TestApp } from '../support/app.js';
import { eventually } from '../support/eventually.js';
import { clientOptions } from '../support/test-databases.js';

const WORKER = `insert into batch.workers (id, name) values ('0198f2a0-3b1c-7d4e-9f50-6a7b8c9d0e1f', 'worker')`;

let service: TestApp;
beforeAll(async () => {
  service = await startTestApp(
    { BATCH_SERVICE_RMQ_URL: '', BATCH_ROLE: 'api' },
    {
      schema: `create table orders (id int primary key);
        create table items (id int primary key, order_id int references orders)`,
    },
  );
});
afterAll(() => service.close());
beforeEach(async () => {
  await service.database.client.query(
    'truncate batch.operations, batch.pending, batch.delayed, batch.lane_blocks, batch.workers, batch.outcomes',
  );
  await service.database.client.query(WORKER);
});

async function create(request: object = {}): Promise<string> {
  const response = await fetch(`${service.url}/api/v1/operations`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ operationType: 'delete', target: 'orders', key: { id: 1 }, ...request }),
  });
  expect(response.status).toBeLessThan(300);
  return ((await response.json()) as { id: string }).id;
}

/** A session of somebody else, in a transaction. */
async function transactionOf(application: string): Promise<pg.Client> {
  const client = new pg.Client({
    ...clientOptions(service.database.connection),
    application_name: application,
  });
  await client.connect();
  onTestFinished(() => client.end());
  await client.query('begin');
  return client;
}

async function waitingOf(id: string): Promise<IWaiting | undefined> {
  const response = await fetch(`${service.url}/api/v1/operations/${id}`);
  return ((await response.json()) as IBatchOperation).waiting;
}

const delay = (id: string, reason: string, seconds: number, keys: readonly number[]): Promise<unknown> =>
  service.database.client.query(
    `with gone as (delete from batch.pending p using batch.operations o where o.seq = p.seq and o.id = $1 returning p.*)
     insert into batch.delayed (seq, available_at, shape, lane, priority, reason, row_keys, code, message)
     select seq, now() + $3 * interval '1 second', shape, lane, priority, $2, $4, 'MISSING_PARENT', 'no order 7' from gone`,
    [id, reason, seconds, keys],
  );

const block = (id: string, parked: boolean): Promise<unknown> =>
  service.database.client.query(
    `insert into batch.lane_blocks (lane, seq, kind, failures, sql_state, message, worker, next_try_at, parked_at)
     select lane, seq, 'transient', 3, '55P03', 'canceling statement due to lock timeout', 'worker-1:42', now() + interval '8 s',
       case when $2 then now() end
     from batch.operations where id = $1`,
    [id, parked],
  );

describe('why an operation waits', () => {
  it('is its turn, with its position, the tables of its lane, and the first operation of the lane', async () => {
    const first = await create();
    const urgent = await create({ priority: 9 });
    const last = await create({ target: 'items' });

    expect(await waitingOf(last)).toEqual({
      lane: expect.any(Number) as number,
      targets: ['public.items', 'public.orders'],
      position: 2,
      positionIsExact: true,
      first: {
        id: urgent,
        operationType: 'delete',
        target: 'public.orders',
        createdAt: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/) as string,
      },
      reason: { kind: 'turn' },
      text: 'It waits for its turn. 2 operations of its lane come before it.',
    });
    expect(await waitingOf(first)).toMatchObject({ position: 1, first: { id: urgent } });
    const head = await waitingOf(urgent);
    expect(head).toMatchObject({ position: 0, text: 'It waits for its turn. It is the first of its lane.' });
    expect(head).not.toHaveProperty('first');
  });

  it('is counted up to ten thousand', async () => {
    const id = await create();
    await service.database.client.query(
      `insert into batch.pending (seq, shape, lane, priority)
       select -n, p.shape, p.lane, p.priority from batch.pending p, generate_series(1, 10001) n`,
    );

    expect(await waitingOf(id)).toMatchObject({
      position: 10_000,
      positionIsExact: false,
      text: expect.stringContaining('More than 10000 operations') as string,
    });
  });

  it('is that no worker was seen', async () => {
    await service.database.client.query(`update batch.workers set seen_at = now() - interval '11 seconds'`);
    const waiting = await waitingOf(await create());

    expect(waiting).toMatchObject({ reason: { kind: 'no_worker' } });
    expect(waiting!.text).toBe('No worker was seen in the last 10 seconds: start one. It is the first of its lane.');
  });

  it('is a fault of its lane, with the next try; or that its lane is parked', async () => {
    const first = await create();
    const second = await create();
    await block(first, false);

    const blocked = await waitingOf(second);
    expect(blocked).toMatchObject({
      reason: {
        kind: 'fault',
        block: {
          operationId: first,
          failures: 3,
          kind: 'transient',
          sqlState: '55P03',
          message: 'canceling statement due to lock timeout',
          nextTryAt: expect.stringMatching(/Z$/) as string,
        },
      },
      text: expect.stringMatching(
        /^Its lane is blocked after 3 failed tries: canceling .* It is tried again at /,
      ) as string,
    });

    await service.database.client.query('delete from batch.lane_blocks');
    await block(first, true);
    expect(await waitingOf(second)).toMatchObject({
      reason: { kind: 'parked', block: { parkedAt: expect.any(String) as string } },
      text: expect.stringMatching(/waits until somebody resumes lane \d+, or skips/) as string,
    });
  });

  it('is a lock time-out, and names the sessions that have held a lock on a table of the lane since before it', async () => {
    const first = await create({ target: 'items' });
    const second = await create();
    const [before, reader] = [await transactionOf('reporting'), await transactionOf('reader')];
    await before.query('lock table orders in share mode');
    await reader.query('select * from orders');
    await block(first, false);
    const after = await transactionOf('later');
    await after.query('lock table items in row exclusive mode');
    const { rows } = await before.query<{ pid: number }>('select pg_backend_pid() as pid');
    const holders = [
      {
        ...{ pid: rows[0]!.pid, application: 'reporting', state: 'idle in transaction' },
        query: 'select pg_backend_pid() as pid',
        transactionStartedAt: expect.stringMatching(/Z$/) as string,
      },
    ];

    const blocked = await waitingOf(second);
    expect(blocked).toMatchObject({ reason: { kind: 'fault', holders } });
    expect(blocked!.text).toContain(
      ` Process ${rows[0]!.pid} (reporting, user ${service.settings.database.username}, idle in transaction)` +
        ' has held a lock on a table of the lane since before that, its last statement is: select pg_backend_pid() as pid',
    );
    await service.database.client.query('update batch.lane_blocks set parked_at = now()');
    const parked = (await waitingOf(second))!.reason as { holders: { application: string }[] };
    expect(parked.holders.map(({ application }) => application)).toEqual(['reporting', 'later']);
    for (const each of [before, after]) await each.query('rollback');
    expect((await waitingOf(second))!.reason).not.toHaveProperty('holders');
  });

  describe('is the open transactions that keep a table of its closed lane in place', () => {
    const closed = (seen: string): Promise<unknown> =>
      service.database.client.query(
        `update batch.workers set seen_at = now() - $1::interval, moving_targets = '{public.orders}',
           closed_lanes = array(select lane from batch.lanes where target = 'public.orders')`,
        [seen],
      );
    const call = (client: pg.Client, target: string): Promise<unknown> =>
      client.query('select batch.create_operation($1)', [{ operationType: 'delete', target, key: { id: 2 } }]);
    const applications = ({ reason }: IWaiting): string[] =>
      (reason as { holders: { application: string }[] }).holders.map(({ application }) => application).sort();

    it('of all callers, and not those of callers for other tables', async () => {
      const id = await create({ target: 'items' });
      const other = await transactionOf('other');
      await call(other, 'items');
      const callers = [await transactionOf('first'), await transactionOf('second')] as const;
      for (const caller of callers) await call(caller, 'orders');
      expect((await waitingOf(id))!.reason).toEqual({ kind: 'turn' });

      await closed('0 s');
      const waiting = await eventually(async () => {
        const found = (await waitingOf(id))!;
        expect(found.reason).toMatchObject({ kind: 'open_transaction', targets: ['public.orders'] });
        expect(applications(found)).toEqual(['first', 'second']);
        return found;
      });
      expect(waiting.text).toMatch(
        /^Its lane is closed until open transactions end that have created operations for public.orders: .* has such a transaction, its last statement is: select batch.create_operation/,
      );

      await callers[0].query('commit');
      expect(applications((await waitingOf(id))!)).toEqual(['second']);
      await callers[1].query('rollback');
      expect((await waitingOf(id))!.reason).toEqual({ kind: 'turn' });
    });

    it.each(['savepoint s', 'savepoint s; savepoint t'])('of a caller that has released: %s', async (savepoints) => {
      const id = await create();
      // It began earlier, but has created nothing.
      await (await transactionOf('other')).query('select pg_current_xact_id()');
      const caller = await transactionOf('caller');
      await caller.query(savepoints);
      await call(caller, 'orders');
      await caller.query('release savepoint s');
      await closed('0 s');
      await eventually(async () => expect(applications((await waitingOf(id))!)).toEqual(['caller']));
      await caller.query('rollback');
      expect((await waitingOf(id))!.reason).toEqual({ kind: 'turn' });
    });

    it('only while a worker says so, and in that lane', async () => {
      await service.database.client.query('create table if not exists apart (id int primary key)');
      const [id, apart] = [await create(), await create({ target: 'apart' })];
      await call(await transactionOf('caller'), 'orders');
      await closed('0 s');
      await eventually(async () => expect(await waitingOf(id)).toMatchObject({ reason: { kind: 'open_transaction' } }));
      expect(await waitingOf(apart)).toMatchObject({ reason: { kind: 'turn' } });
      await closed('11 s');
      expect(await waitingOf(id)).toMatchObject({ reason: { kind: 'no_worker' } });
    });

    it('without tables and sessions for a caller that is limited to some tables', async () => {
      const id = await create({ target: 'items' });
      await call(await transactionOf('caller'), 'orders');
      await closed('0 s');
      await eventually(async () => {
        const { rows } = await service.database.client.query<{ waiting: IWaiting }>(
          'select batch.why_waiting($1, false) as waiting',
          [id],
        );
        expect(rows[0]!.waiting.reason).toEqual({ kind: 'open_transaction', targets: [], holders: [] });
        expect(rows[0]!.waiting.text).not.toMatch(/orders|caller/);
      });
    });
  });

  it('is a pause of its lane or of a table of its lane, with who paused it and why', async () => {
    const id = await create({ target: 'items' });
    await service.database.client.query(
      `insert into batch.pauses (kind, name, paused_by, reason) values ('target', 'public.orders', 'command:ann', 'vacuum full')`,
    );
    const waiting = await waitingOf(id);
    await service.database.client.query('truncate batch.pauses');

    expect(waiting).toMatchObject({
      reason: {
        kind: 'pause',
        pauses: [{ kind: 'target', name: 'public.orders', drain: false, by: 'command:ann', reason: 'vacuum full' }],
      },
      text: 'Target public.orders is paused: vacuum full. It is the first of its lane.',
    });
  });

  it('is its runAt', async () => {
    const at = new Date(Date.now() + 3_600_000).toISOString();
    const waiting = await waitingOf(await create({ runAt: at }));

    expect(waiting).toMatchObject({ reason: { kind: 'run_at', at }, text: `It is not executed before ${at}.` });
    expect(waiting).not.toHaveProperty('position');
  });

  it('is its next attempt, with its last failure; behind it, the earlier operation on the same row', async () => {
    const first = await create();
    const second = await create();
    await delay(first, 'retry', 60, [7]);
    await delay(second, 'blocked', 60, [7, 8]);

    expect(await waitingOf(first)).toMatchObject({
      reason: { kind: 'retry', error: { code: 'MISSING_PARENT', message: 'no order 7' } },
      text: expect.stringMatching(/^It failed with MISSING_PARENT \(no order 7\), and is tried again at /) as string,
    });
    expect(await waitingOf(second)).toMatchObject({ reason: { kind: 'earlier_operation', id: first } });
  });

  it('is in the SQL view, and absent in lists and for settled operations', async () => {
    const id = await create();
    const { rows } = await service.database.client.query<{ waits_for: string }>(
      'select waits_for from batch.batch_operations where id = $1',
      [id],
    );
    expect(rows).toEqual([{ waits_for: 'It waits for its turn. It is the first of its lane.' }]);

    const list = (await (await fetch(`${service.url}/api/v1/operations`)).json()) as { items: object[] };
    expect(list.items).toHaveLength(1);
    expect(list.items[0]).not.toHaveProperty('waiting');
    await service.database.client.query('truncate batch.pending');
    expect(await waitingOf(id)).toBeUndefined();
  });

  it('is told to every reader of the view, without other sessions unless the reader may call why_waiting', async () => {
    const id = await create();
    await service.database.client.query('drop role if exists batch_view_reader');
    await service.database.client.query(`create role batch_view_reader;
      grant usage on schema batch to batch_view_reader; grant select on batch.batch_operations to batch_view_reader`);
    const session = await service.database.client.connect();
    try {
      await session.query('set role batch_view_reader');
      const { rows } = await session.query('select * from batch.batch_operations where id = $1', [id]);
      expect(rows).toMatchObject([{ waits_for: 'It waits for its turn. It is the first of its lane.' }]);
      await expect(session.query('select batch.why_waiting($1)', [id])).rejects.toThrow('permission denied');
    } finally {
      await session.query('reset role; drop owned by batch_view_reader; drop role batch_view_reader');
      session.release();
    }
  });

  it('is that no worker was seen, rather than a fault that nobody tries again', async () => {
    const id = await create();
    await block(id, false);
    await service.database.client.query('truncate batch.workers');

    expect(await waitingOf(id)).toMatchObject({ reason: { kind: 'no_worker' } });
  });

  it('tells a caller that is limited to some tables nothing of other operations and tables', async () => {
    const first = await create({ target: 'items' });
    const second = await create();
    await block(first, false);

    const { rows } = await service.database.client.query<{ waiting: IWaiting }>(
      'select batch.why_waiting($1, false) as waiting',
      [second],
    );
    const said = JSON.stringify(rows[0]!.waiting);
    expect(rows[0]!.waiting).toMatchObject({ targets: ['public.orders'], position: 1, reason: { kind: 'fault' } });
    expect(said).not.toContain(first);
    expect(said).not.toContain('items');
    expect(said).not.toContain('canceling');
  });
});
