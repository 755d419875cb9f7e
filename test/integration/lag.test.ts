import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { NewOperation } from '../../src/services/queue/new-operation.js';
import { selectQueueFacts } from '../../src/services/alerts/alerts.sql.js';
import { selectStats } from '../../src/services/outcomes/outcomes.sql.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';
import { eventually } from '../support/eventually.js';
import { newOperation, openWorker, type TestWorker } from '../support/worker.js';

const FOREVER = new AbortController().signal;
const MINUTE = 60_000;

describe('how long the oldest operation has waited', () => {
  let database: TestDatabase;
  let worker: TestWorker;
  let nextId = 0;

  beforeAll(async () => {
    database = await createTestDatabase();
    await database.client.query('create table item (id int primary key, name text not null)');
    worker = await openWorker(database);
  });
  beforeEach(async () => {
    await database.client.query(`delete from batch.pauses`);
    while ((await database.client.query('select from batch.pending limit 1')).rowCount) await worker.job.poll(FOREVER);
  });
  afterAll(async () => {
    await worker?.close();
    await database?.drop();
  });

  const good = (overrides: Partial<NewOperation> = {}): NewOperation =>
    newOperation({ type: 'insert', target: 'public.item', values: `{"id":${++nextId},"name":"a"}`, ...overrides });
  const bad = (): NewOperation =>
    newOperation({ type: 'insert', target: 'public.item', values: `{"id":${++nextId},"name":null}` });

  /** As if it had been created that long ago. */
  async function age({ id }: NewOperation, minutes: number): Promise<void> {
    await database.client.query(
      `update batch.operations set created_at = now() - $2 * interval '1 minute' where id = $1`,
      [id, minutes],
    );
  }

  /** What the alerts and the metric see. */
  async function lagMinutes(): Promise<number> {
    const [facts, stats] = await Promise.all([
      worker.database.query<{ lagMs: number }>(selectQueueFacts(1000)),
      worker.database.query<{ lagMs: number }>(selectStats(1000)),
    ]);
    const [seen, shown] = [facts, stats].map(({ rows }) => Math.floor(rows[0]!.lagMs / MINUTE));
    expect(seen).toBe(shown);
    return seen!;
  }

  it('counts from the creation, of the oldest of all priorities', async () => {
    const [young, old] = [good(), good({ priority: 5 })];
    await worker.queue.enqueue([young, old]);
    await age(young, 10);
    await age(old, 20);
    expect(await lagMinutes()).toBe(20);
  });

  it('begins anew with a retry, and still sees what waits behind it', async () => {
    const failed = bad();
    await worker.queue.enqueue([failed]);
    await worker.job.poll(FOREVER);
    await age(failed, 4000);
    await worker.queue.retry(failed.id);
    expect(await lagMinutes()).toBe(0);

    const waiting = good();
    await worker.queue.enqueue([waiting]);
    await age(waiting, 10);
    expect(await lagMinutes()).toBe(10);
  });

  it('begins at the time of a scheduled operation', async () => {
    const scheduled = good({ runAt: '2099-01-01T00:00:00Z' });
    await worker.queue.enqueue([scheduled]);
    await age(scheduled, 4000);
    await database.client.query(
      `update batch.delayed set available_at = now() where seq = (select seq from batch.operations where id = $1)`,
      [scheduled.id],
    );
    await eventually(async () => {
      await worker.job.releaseDue();
      expect((await database.client.query('select from batch.pending')).rowCount).toBe(1);
    });
    expect(await lagMinutes()).toBe(0);
  });

  it('begins anew when the pause of its source ends', async () => {
    const kept = good({ source: 'importer' });
    await database.client.query(`insert into batch.pauses (kind, name) values ('source', 'importer')`);
    await worker.queue.enqueue([kept]);
    await age(kept, 4000);
    await worker.job.poll(FOREVER);
    expect(await lagMinutes()).toBe(0);
    await database.client.query('delete from batch.pauses');
    await eventually(async () => {
      await worker.job.releaseDue();
      expect((await database.client.query('select from batch.pending')).rowCount).toBe(1);
    });
    expect(await lagMinutes()).toBe(0);
  });

  it('does not count what a pause keeps', async () => {
    const paused = good();
    await worker.queue.enqueue([paused]);
    await age(paused, 10);
    await database.client.query(`insert into batch.pauses (kind, name) values ('target', 'public.item')`);
    expect(await lagMinutes()).toBe(0);
  });
});
