import { connect } from 'amqplib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { JobScheduler } from '../../../src/batch/nest/job-scheduler.js';
import type { AlertRule, IAlert, IAlerts } from '../../../src/interfaces/alert.js';
import { parkedQueue } from '../../../src/services/rabbitmq/topology.js';
import { startTestApp, type TestApp } from '../../support/app.js';
import { createTestDatabase, type TestDatabase } from '../../support/database.js';
import { documentedReceiver } from '../../support/documented-receiver.js';
import { eventually } from '../../support/eventually.js';
import { freePort } from '../../support/free-port.js';
import { startHttpReceiver, type HttpReceiver } from '../../support/http-receiver.js';
import { startMailServer, type MailServer } from '../../support/mail-server.js';
import { onDatabase } from '../../support/test-databases.js';
import { testSettings, type TestEnvironment } from '../../support/test-settings.js';

const SECRET = 'a-secret-that-the-receiver-knows-too';
/** Nothing but what a test asks for, and quickly. */
const QUIET = {
  BATCH_ALERT_INTERVAL: '100',
  BATCH_ALERT_RESOLVE_SECONDS: '0',
  BATCH_ALERT_LAG_SECONDS: '0',
  BATCH_ALERT_NO_WORKER_SECONDS: '0',
} as const satisfies TestEnvironment;

interface Received {
  event: string;
  rule: AlertRule;
  subject: string;
  title: string;
  text: string;
}

describe('alerts', () => {
  let database: TestDatabase;
  let receiver: HttpReceiver;
  const apps: TestApp[] = [];
  const mailServers: MailServer[] = [];

  beforeEach(async () => {
    database = await createTestDatabase();
    receiver = await startHttpReceiver();
  });
  afterEach(async () => {
    for (const app of apps.splice(0)) await app.close();
    for (const server of mailServers.splice(0)) await server.close();
    await receiver.close();
    await database.drop();
  });

  async function start(environment: TestEnvironment = {}): Promise<TestApp> {
    const app = await startTestApp(
      {
        BATCH_ROLE: 'api',
        BATCH_SERVICE_RMQ_URL: '',
        REDIS_URL: '',
        BATCH_ALERT_WEBHOOK_URL: `${receiver.url}/alerts`,
        BATCH_ALERT_WEBHOOK_SECRET: SECRET,
        ...QUIET,
        ...environment,
      },
      { database },
    );
    apps.push(app);
    return app;
  }

  const startMail = async (port?: number): Promise<MailServer> => {
    const server = await startMailServer({}, port);
    mailServers.push(server);
    return server;
  };
  const received = (): Received[] => receiver.requests.map(({ body }) => JSON.parse(body) as Received);
  const told = (): string[] => received().map(({ event, rule, subject }) => [event, rule, subject].join(' ').trim());
  const list = async ({ url }: TestApp): Promise<IAlerts> =>
    (await (await fetch(`${url}/api/v1/alerts`)).json()) as IAlerts;
  const metrics = async ({ url }: TestApp): Promise<string> => (await fetch(`${url}/metrics`)).text();
  /** Waits until the rules were evaluated again, and again. Each round notes in the alerts that they go on. */
  const rounds = async (): Promise<void> => {
    for (let round = 0; round < 3; round += 1) {
      const last = await lastAt();
      await eventually(async () => expect(await lastAt()).toBeGreaterThan(last));
    }
  };
  const lastAt = async (): Promise<number> =>
    (await database.client.query<{ at: Date }>('select max(last_at) as at from batch.alerts')).rows[0]!.at.getTime();
  const blockLane = (lane: number): Promise<unknown> =>
    database.client.query(
      `insert into batch.lane_blocks (lane, seq, failures, message, worker, next_try_at, parked_at)
       values ($1, 1, 20, 'secret of a caller', 'w', now(), now())`,
      [lane],
    );
  const send = async ({ url }: TestApp, path: string, body: object): Promise<void> => {
    const headers = { 'content-type': 'application/json' };
    const response = await fetch(`${url}/api/v1/${path}`, { method: 'POST', headers, body: JSON.stringify(body) });
    expect([path, response.ok]).toEqual([path, true]);
  };
  const insertItem = (app: TestApp, id: number): Promise<void> =>
    send(app, 'operations', { operationType: 'insert', target: 'items', values: { id } });
  const unblock = (): Promise<unknown> => database.client.query('delete from batch.lane_blocks');

  it('are signed, told once, and told once more when they are over', async () => {
    const app = await start();
    await blockLane(17);
    await eventually(() => expect(told()).toEqual(['firing lane_blocked lane 17']));
    await rounds();
    expect(told()).toHaveLength(1);

    const { headers, body } = receiver.requests[0]!;
    const { isFromBatchService } = await documentedReceiver();
    expect(isFromBatchService(body, headers['x-batch-signature'] as string, SECRET)).toBe(true);
    expect(body).not.toContain('secret of a caller');
    expect(await list(app)).toMatchObject({
      channels: ['webhook'],
      firing: [
        { rule: 'lane_blocked', subject: 'lane 17', state: 'firing', deliveries: [{ state: 'sent', attempts: 1 }] },
      ],
      recent: [],
    });
    expect(await metrics(app)).toContain('batch_alerts_firing{rule="lane_blocked"} 1');

    await unblock();
    await eventually(() => expect(told()).toEqual(['firing lane_blocked lane 17', 'resolved lane_blocked lane 17']));
    const { firing, recent } = await list(app);
    expect(firing).toEqual([]);
    expect(recent).toMatchObject([{ state: 'resolved', deliveries: [{ event: 'resolved' }, { event: 'firing' }] }]);
    await eventually(async () => expect(await metrics(app)).toContain('batch_alerts_firing{rule="lane_blocked"} 0'));
    expect(await metrics(app)).toContain('batch_alert_deliveries_total{channel="webhook",result="sent"} 2');
  });

  it('tell which open transaction keeps a lane closed, and of its end', async () => {
    await database.client.query('create table items (id int primary key)');
    const app = await start({ BATCH_ALERT_LANE_LOCKED_SECONDS: '1' });
    await send(app, 'operations', { operationType: 'insert', target: 'items', values: { id: 1 } });
    // As a worker tells it, when a new foreign key gives the table another lane.
    await database.client.query(
      `insert into batch.workers (id, name, seen_at, closed_lanes, moving_targets)
       values (gen_random_uuid(), 'w', now() + interval '1 hour', array(select lane from batch.lanes), '{public.items}')`,
    );
    const { rows } = await database.client.query<{ lane: number }>('select lane from batch.lanes');
    const alert = `lane_blocked lane ${rows[0]!.lane}`;
    const shop = await database.client.connect();
    try {
      await shop.query(`begin; select from batch.lanes for update; select pg_current_xact_id(), 'secret of a caller'`);
      await eventually(() => expect(told()).toEqual([`firing ${alert}`]));
      const [firing] = received();
      expect(firing!.title).toContain('(public.items)');
      expect(firing!.text).toMatch(/closed since .* have created operations for public\.items: .* Process \d+ \(/);
      expect(firing!.text).not.toContain('secret');
    } finally {
      await shop.query('rollback');
      shop.release();
    }
    await eventually(() => expect(told()).toEqual([`firing ${alert}`, `resolved ${alert}`]));
  });

  it('are repeated by the interval', async () => {
    await start();
    await blockLane(3);
    await eventually(() => expect(told()).toEqual(['firing lane_blocked lane 3']));
    // An hour passes.
    await database.client.query(`update batch.alerts set notified_at = notified_at - interval '1 hour'`);
    await eventually(() => expect(told()).toEqual(['firing lane_blocked lane 3', 'repeated lane_blocked lane 3']));
    await rounds();
    expect(told()).toHaveLength(2);
  });

  it('reach Slack, where text of others mentions nobody', async () => {
    const app = await start({
      BATCH_ALERT_SLACK_URL: `${receiver.url}/services/T/B/x`,
      BATCH_ALERT_WEBHOOK_URL: '',
      BATCH_ALERT_WEBHOOK_SECRET: '',
    });
    await database.client.query(`insert into batch.lanes (target, lane) values ('public.<!channel>', 17)`);
    await blockLane(17);
    await eventually(() => expect(receiver.requests).toHaveLength(1));
    const { path, body } = receiver.requests[0]!;
    expect(path).toBe('/services/T/B/x');
    const { text } = JSON.parse(body) as { text: string };
    expect(text).toMatch(/^\*\[Batch Service\] Alert: Lane 17 stands still \(public\.&lt;!channel&gt;\)\*\n/);
    expect((await list(app)).channels).toEqual(['slack']);
  });

  it('that a channel refuses are tried again there, and not sent twice elsewhere', async () => {
    const port = await freePort();
    const app = await start({
      SMTP_URL: `smtp://127.0.0.1:${port}`,
      MAIL_FROM: 'batch@example.com',
      BATCH_ALERT_EMAIL_TO: 'ada@example.com',
    });
    await blockLane(17);
    const deliveryOf = async (channel: string): Promise<IAlert['deliveries'][number]> =>
      (await list(app)).firing[0]!.deliveries.find((delivery) => delivery.channel === channel)!;
    await eventually(async () =>
      expect(await deliveryOf('email')).toMatchObject({
        state: 'pending',
        attempts: 1,
        error: expect.stringContaining('ECONNREFUSED') as string,
      }),
    );
    expect(await deliveryOf('webhook')).toMatchObject({ state: 'sent' });
    expect(await metrics(app)).toContain('batch_alert_deliveries_total{channel="email",result="failed"} 1');

    const mail = await startMail(port);
    await eventually(() => expect(mail.mails).toHaveLength(1), { timeoutMs: 20_000 });
    expect(mail.mails[0]).toMatchObject({
      to: ['ada@example.com'],
      subject: '[Batch Service] Alert: Lane 17 stands still (tables unknown)',
    });
    await eventually(async () => expect(await deliveryOf('email')).toMatchObject({ state: 'sent', attempts: 2 }));
    expect(await deliveryOf('email')).not.toHaveProperty('error');
    expect(told()).toHaveLength(1);
  });

  it('arrive in their order, also when an alert is over before its first message was sent', async () => {
    receiver.answer(503);
    const app = await start();
    await blockLane(17);
    await eventually(() => expect(receiver.requests).toHaveLength(1));
    await unblock();
    await eventually(async () => expect((await list(app)).recent).toHaveLength(1));
    receiver.answer(200);
    receiver.requests.length = 0;
    await eventually(() => expect(told()).toEqual(['firing lane_blocked lane 17', 'resolved lane_blocked lane 17']), {
      timeoutMs: 20_000,
    });
  });

  it('are given up after a day', async () => {
    receiver.answer(500);
    const app = await start();
    await blockLane(17);
    await eventually(() => expect(receiver.requests).toHaveLength(1));
    await database.client.query(`update batch.alert_deliveries set created_at = created_at - interval '25 hours'`);
    await eventually(async () =>
      expect((await list(app)).firing[0]!.deliveries).toMatchObject([{ state: 'gave_up', error: 'status 500: ok' }]),
    );
    expect(await metrics(app)).toContain('batch_alert_deliveries_total{channel="webhook",result="gave_up"} 1');
  });

  it('survive a restart: nothing is told again, and the end is told', async () => {
    const first = await start();
    await blockLane(17);
    await eventually(() => expect(told()).toEqual(['firing lane_blocked lane 17']));
    await first.close();
    apps.length = 0;
    await start();
    await rounds();
    expect(told()).toHaveLength(1);
    await unblock();
    await eventually(() => expect(told()).toEqual(['firing lane_blocked lane 17', 'resolved lane_blocked lane 17']));
  });

  it('tell that the oldest operation waits too long, and that no worker is there', async () => {
    await database.client.query('create table items (id int primary key)');
    const app = await start({ BATCH_ALERT_LAG_SECONDS: '1', BATCH_ALERT_NO_WORKER_SECONDS: '1' });
    await insertItem(app, 1);
    await eventually(() => expect(told().sort()).toEqual(['firing lag', 'firing no_worker']));
    const worker = await start({
      BATCH_ROLE: 'worker',
      BATCH_ALERT_LAG_SECONDS: '1',
      BATCH_ALERT_NO_WORKER_SECONDS: '1',
    });
    expect(worker.settings.role).toBe('worker');
    await eventually(() => expect(told().slice(2).sort()).toEqual(['resolved lag', 'resolved no_worker']));
  });

  it('tell of many at once in one message, of their beginning and of their end', async () => {
    const app = await start();
    await database.client.query(
      `insert into batch.lane_blocks (lane, seq, failures, message, worker, next_try_at, parked_at)
       select lane, 1, 20, 'm', 'w', now(), now() from generate_series(1, 7) lane`,
    );
    await eventually(() => expect(told()).toEqual(['firing lane_blocked']));
    const { title, subjects } = received()[0] as Received & { subjects: string[] };
    expect(title).toBe('7 alerts: Lane 1 stands still (tables unknown), and 6 more');
    expect(subjects).toHaveLength(7);
    await eventually(async () => {
      const { firing } = await list(app);
      expect(firing.flatMap(({ deliveries }) => deliveries.map(({ state }) => state))).toEqual(Array(7).fill('sent'));
    });
    await rounds();
    expect(told()).toHaveLength(1);
    await unblock();
    await eventually(() => expect(told()).toEqual(['firing lane_blocked', 'resolved lane_blocked']));
  });

  it('tell of a lane that waits for a lock, and of who holds it, before the lock times out', async () => {
    await database.client.query('create table items (id int primary key)');
    const app = await start({ BATCH_ROLE: 'all', BATCH_ALERT_LANE_LOCKED_SECONDS: '1', BATCH_LOCK_TIMEOUT: '3600000' });
    await onDatabase(database.connection, async (holder) => {
      await holder.query(`set application_name = 'nightly-report'`);
      await holder.query('begin; lock table items');
      await insertItem(app, 1);
      await eventually(() => expect(told()).toEqual([expect.stringMatching(/^firing lane_blocked lane \d+$/)]));
      expect(received()[0]!.text).toMatch(
        /waited for a lock on (public\.)?items since .+ \(nightly-report, .+idle in transaction\) holds it/,
      );
    });
    await eventually(() => expect(told()[1]).toMatch(/^resolved lane_blocked/));
  });

  it('say nothing of what an operator has paused', async () => {
    await database.client.query('create table items (id int primary key); create table others (id int primary key)');
    const app = await start({ BATCH_ROLE: 'all', BATCH_ALERT_LAG_SECONDS: '1' });
    await send(app, 'pauses', { kind: 'target', name: 'items' });
    await insertItem(app, 1);
    const laneOf = async (): Promise<number> =>
      (await database.client.query<{ lane: number }>(`select lane from batch.lanes where target = 'public.items'`))
        .rows[0]!.lane;
    // Both were long ago. The blocked lane that is not paused shows that the rules were evaluated.
    await database.client.query(`update batch.operations set created_at = created_at - interval '1 hour'`);
    await eventually(async () => expect(await laneOf()).toBeDefined());
    await blockLane(await laneOf());
    await blockLane(60);
    await eventually(() => expect(told()).toEqual(['firing lane_blocked lane 60']));
    await rounds();
    expect(told()).toHaveLength(1);
    await fetch(`${app.url}/api/v1/pauses/target/items`, { method: 'DELETE' });
    const lane = await laneOf();
    await eventually(() => expect(told().slice(1).sort()).toEqual([`firing lag`, `firing lane_blocked lane ${lane}`]));
  });

  it('tell that many operations fail, and that notifications are parked, and that both are over', async () => {
    await start();
    await database.client.query(
      `insert into batch.chunks (started_at, settled_at, operations, completed, failed, groups, statements, duration_ms, fallback, notify, worker, seqs)
       values (now(), now(), 100, 80, 20, 1, 1, 1, false, false, 'w', '{}')`,
    );
    await database.client.query(
      `insert into batch.parked_notifications (chunk_id, source, reason, failures, parked_at, next_try_at) values (1, 's', 'r', 1, now(), now())`,
    );
    await eventually(() => expect(told().sort()).toEqual(['firing failure_rate', 'firing parked_notifications']));
    expect(received().find(({ rule }) => rule === 'failure_rate')!.text).toContain('20 have failed (20 %)');

    await database.client.query('delete from batch.parked_notifications');
    await eventually(() => expect(told().slice(2)).toEqual(['resolved parked_notifications']));
    // The window passes.
    await database.client.query(`update batch.chunks set settled_at = settled_at - interval '1 hour'`);
    await eventually(() => expect(told().slice(3)).toEqual(['resolved failure_rate']));
  });

  it('tell that a job failed, until it is restarted', async () => {
    await start();
    const { rows } = await database.client.query<{ id: string }>(
      `insert into batch.job_instances (job_name, job_key) values ('importOrders', 'k') returning id`,
    );
    const execution = (status: string): Promise<unknown> =>
      database.client.query(
        `insert into batch.job_executions (job_instance_id, job_name, status, exit_code, parameters, context, lease_until, ended_at)
         values ($1, 'importOrders', $2, $2, '{}', '{}', now() + interval '1 hour', case when $2 = 'FAILED' then now() end)`,
        [rows[0]!.id, status],
      );
    await execution('FAILED');
    await eventually(() => expect(told()).toEqual(['firing job_failed importOrders 1']));
    await execution('STARTED');
    await eventually(() =>
      expect(told()).toEqual(['firing job_failed importOrders 1', 'resolved job_failed importOrders 1']),
    );
  });

  it('tell that a job missed its schedule, until it runs', async () => {
    // The role api knows the schedules, and starts no job.
    const { app } = await start({ BATCH_ALERT_JOB_MISSED_SECONDS: '1' });
    app.get(JobScheduler).add('nightly', { cron: '* * * * *' });
    await database.client.query(
      `insert into batch.scheduled_jobs (job_name, last_fire_time, created_at) values ('nightly', now(), now() - interval '1 hour')`,
    );
    await eventually(() => expect(told()).toEqual(['firing job_missed nightly']));
    await database.client.query(
      `with instance as (insert into batch.job_instances (job_name, job_key) values ('nightly', 'k') returning id)
       insert into batch.job_executions (job_instance_id, job_name, status, exit_code, parameters, context, lease_until, created_at, ended_at)
       select id, 'nightly', 'COMPLETED', 'COMPLETED', '{}', '{}', now(), now() + interval '5 min', now() from instance`,
    );
    await eventually(() => expect(told()).toEqual(['firing job_missed nightly', 'resolved job_missed nightly']));
  });

  it('tell that messages are parked in the broker', async () => {
    const app = await start({ BATCH_SERVICE_RMQ_URL: testSettings(database.environment).rabbitmq!.url });
    const { url, queue } = app.settings.rabbitmq!;
    const connection = await connect(url);
    const channel = await connection.createConfirmChannel();
    channel.sendToQueue(parkedQueue(queue), Buffer.from('{}'));
    await channel.waitForConfirms();
    await eventually(() => expect(told()).toEqual(['firing parked_messages']), { timeoutMs: 25_000 });
    await channel.purgeQueue(parkedQueue(queue));
    await connection.close();
    await eventually(() => expect(told()).toEqual(['firing parked_messages', 'resolved parked_messages']), {
      timeoutMs: 25_000,
    });
  });
});
