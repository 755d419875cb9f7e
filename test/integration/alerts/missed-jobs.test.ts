import { SchedulerRegistry } from '@nestjs/schedule';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { asSqlClient } from '../../../src/batch/sql/as-sql-client.js';
import { JobScheduler } from '../../../src/batch/nest/job-scheduler.js';
import type { MissedJob } from '../../../src/services/alerts/alert-facts.js';
import { FactsReader } from '../../../src/services/alerts/facts.reader.js';
import { ParkedMessageCount } from '../../../src/services/alerts/parked-message-count.js';
import { createTestDatabase, type TestDatabase } from '../../support/database.js';
import { testSettings } from '../../support/test-settings.js';

const MINUTE_MS = 60_000;

describe('a job whose schedule is each minute', () => {
  let database: TestDatabase;
  beforeAll(async () => {
    database = await createTestDatabase();
  });
  afterAll(() => database.drop());

  /** As a process sees it that knows the schedule, whether it runs jobs or not. */
  async function missed(): Promise<{ now: Date; jobs: readonly MissedJob[] }> {
    const settings = testSettings({
      ...database.environment,
      BATCH_SERVICE_RMQ_URL: '',
      BATCH_ALERT_JOB_MISSED_SECONDS: '1',
    });
    const scheduler = new JobScheduler(undefined as never, undefined as never, new SchedulerRegistry());
    scheduler.add('nightly', { cron: '* * * * *' });
    const client = await database.client.connect();
    try {
      const reader = new FactsReader(settings, scheduler, new ParkedMessageCount(undefined as never));
      const { now, missedJobs: jobs } = await reader.read(asSqlClient(client));
      return { now, jobs };
    } finally {
      client.release();
    }
  }

  it('has missed nothing before its schedule existed', async () => {
    expect((await missed()).jobs).toEqual([]);
    await database.client.query(
      `insert into batch.scheduled_jobs (job_name, last_fire_time) values ('nightly', now())`,
    );
    await database.client.query('update batch.scheduled_jobs set created_at = now()');
    expect((await missed()).jobs).toEqual([]);
  });

  it('has missed its last time while no process runs it, and not once it ran', async () => {
    await database.client.query(`update batch.scheduled_jobs set created_at = now() - interval '1 hour'`);
    const { now, jobs } = await missed();
    const last = new Date(Math.floor((now.getTime() - 1000) / MINUTE_MS) * MINUTE_MS);
    expect(jobs).toEqual([{ job: 'nightly', dueAt: last }]);

    await database.client.query(
      `with instance as (insert into batch.job_instances (job_name, job_key) values ('nightly', 'k') returning id)
       insert into batch.job_executions (job_instance_id, job_name, status, exit_code, parameters, context, lease_until, created_at, ended_at)
       select id, 'nightly', 'COMPLETED', 'COMPLETED', '{}', '{}', now(), now() + interval '2 min', now() from instance`,
    );
    expect((await missed()).jobs).toEqual([]);
  });

  it('has missed nothing while an earlier run goes on', async () => {
    await database.client.query(
      `update batch.job_executions set created_at = now() - interval '1 hour', ended_at = now()`,
    );
    expect((await missed()).jobs).toHaveLength(1);
    await database.client.query(`update batch.job_executions set ended_at = null`);
    expect((await missed()).jobs).toEqual([]);
  });
});
