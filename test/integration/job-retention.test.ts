import { afterAll, afterEach, beforeAll, beforeEach, expect, it, vi } from 'vitest';
import { startTestApp, type TestApp } from '../support/app.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';
import { eventually } from '../support/eventually.js';

const HOUR_MS = 3_600_000;

let database: TestDatabase;
let service: TestApp | undefined;
beforeAll(async () => {
  database = await createTestDatabase();
});
afterAll(() => database?.drop());
beforeEach(async () => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
  await database.client.query('truncate batch.job_instances cascade');
  for (const hours of [1, 3, 100]) await insertEndedBefore(hours);
});
afterEach(async () => {
  await service?.close();
  service = undefined;
  vi.useRealTimers();
});

async function insertEndedBefore(hours: number): Promise<void> {
  const at = new Date(Date.now() - hours * HOUR_MS);
  await database.client.query(
    `with instance as (
       insert into batch.job_instances (job_name, job_key, last_started_at) values ('old', $1::text, $2) returning id
     )
     insert into batch.job_executions
       (job_instance_id, job_name, status, exit_code, parameters, context, lease_until, started_at, ended_at)
     select id, 'old', 'COMPLETED', 'COMPLETED', '{}', '{}', $2, $2, $2 from instance`,
    [`${hours} h`, at],
  );
}

async function kept(): Promise<string[]> {
  const { rows } = await database.client.query<{ key: string }>(
    'select job_key as key from batch.job_instances order by id',
  );
  return rows.map(({ key }) => key);
}

const start = (environment: Record<string, string>): Promise<TestApp> =>
  startTestApp({ BATCH_SERVICE_RMQ_URL: '', ...environment }, { database });

it('a worker deletes the executions of jobs that ended longer ago than BATCH_RETENTION_JOBS_HOURS', async () => {
  service = await start({ BATCH_ROLE: 'worker', BATCH_RETENTION_JOBS_HOURS: '2' });
  expect(await kept()).toEqual(['1 h', '3 h', '100 h']);
  vi.advanceTimersByTime(60_000);
  await eventually(async () => expect(await kept()).toEqual(['1 h']));
});

it.each([
  ['a worker that keeps them for ever', { BATCH_ROLE: 'worker', BATCH_RETENTION_JOBS_HOURS: '0' }],
  ['a process of role api', { BATCH_ROLE: 'api', BATCH_RETENTION_JOBS_HOURS: '2' }],
])('%s deletes none', async (_, environment) => {
  service = await start(environment);
  vi.advanceTimersByTime(120_000);
  // It waits for what it has begun.
  await service.close();
  service = undefined;
  expect(await kept()).toEqual(['1 h', '3 h', '100 h']);
});
