import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createTestDatabase, type TestDatabase } from '../support/database.js';
import { eventually } from '../support/eventually.js';
import { freePort } from '../support/free-port.js';
import { startHttpReceiver, type HttpReceiver } from '../support/http-receiver.js';
import { startMailServer, type MailServer } from '../support/mail-server.js';
import { startServiceProcess, type ServiceProcess } from '../support/service-process.js';
import { clientOptions } from '../support/test-databases.js';
import { testEnvironment, type TestEnvironment } from '../support/test-settings.js';

const LEADS = 'This process evaluates the rules of alerts';
const SECRET = 'a-secret-that-the-receiver-knows-too';

describe('alerts of several processes', () => {
  let database: TestDatabase;
  let receiver: HttpReceiver;
  let mail: MailServer;
  const processes: ServiceProcess[] = [];

  beforeEach(async () => {
    database = await createTestDatabase();
    receiver = await startHttpReceiver();
    mail = await startMailServer();
  });
  afterEach(async () => {
    await Promise.all(processes.splice(0).map((each) => each.end()));
    await mail.close();
    await receiver.close();
    await database.drop();
  });

  const channels = (): TestEnvironment => ({
    BATCH_ALERT_WEBHOOK_URL: `${receiver.url}/hook/of-the-night`,
    BATCH_ALERT_WEBHOOK_SECRET: SECRET,
    SMTP_URL: `smtp://127.0.0.1:${mail.port}`,
    MAIL_FROM: 'Batch Service <batch@example.com>',
    BATCH_ALERT_EMAIL_TO: 'ada@example.com',
  });

  async function start(environment: TestEnvironment = {}): Promise<ServiceProcess> {
    const service = await startServiceProcess({
      environment: testEnvironment({
        ...database.environment,
        LOG_LEVEL: 'info',
        BATCH_ROLE: 'worker',
        BATCH_SERVICE_RMQ_URL: '',
        REDIS_URL: '',
        BATCH_LOCK_TIMEOUT: '60000',
        BATCH_ALERT_INTERVAL: '200',
        BATCH_ALERT_RESOLVE_SECONDS: '1',
        BATCH_ALERT_LAG_SECONDS: '1',
        BATCH_ALERT_LANE_BLOCKED_SECONDS: '0',
        ...channels(),
        ...environment,
      }),
    });
    processes.push(service);
    return service;
  }

  const posted = (): string[] =>
    receiver.requests.map(({ body }) => {
      const { event, rule } = JSON.parse(body) as { event: string; rule: string };
      return `${event} ${rule}`;
    });
  const mailed = (): string[] => mail.mails.map(({ subject }) => subject.replace(/ for .*/, ''));
  const lastAt = async (): Promise<number> =>
    (await database.client.query<{ at: Date }>('select max(last_at) as at from batch.alerts')).rows[0]!.at.getTime();
  /** Each round notes in an alert that it goes on. */
  const rounds = async (count: number): Promise<void> => {
    for (let round = 0; round < count; round += 1) {
      const last = await lastAt();
      await eventually(async () => expect(await lastAt()).toBeGreaterThan(last), { timeoutMs: 30_000 });
    }
  };

  it('reach a mail server and a receiver once, survive the death of the leader, and end once', async () => {
    await database.client.query('create table items (id int primary key)');
    const workers = await Promise.all([start(), start(), start()]);
    await Promise.all(workers.map((worker) => worker.up()));
    const holder = new pg.Client(clientOptions(database.connection));
    await holder.connect();
    try {
      // No worker can insert while somebody else holds the table.
      await holder.query('begin');
      await holder.query('lock table items in access exclusive mode');
      await database.client.query(
        `select batch.create_operation('{"operationType":"insert","target":"items","values":{"id":1}}')`,
      );

      await eventually(
        () =>
          expect([posted(), mailed()]).toEqual([
            ['firing lag'],
            ['[Batch Service] Alert: The oldest operation has waited'],
          ]),
        { timeoutMs: 30_000 },
      );
      expect(mail.mails[0]).toMatchObject({ from: 'batch@example.com', to: ['ada@example.com'] });
      await rounds(5);
      expect(workers.filter(({ output }) => output.includes(LEADS))).toHaveLength(1);

      const leader = workers.find(({ output }) => output.includes(LEADS))!;
      leader.signal('SIGKILL');
      await leader.exited;
      const others = workers.filter((worker) => worker !== leader);
      await Promise.race(others.map((worker) => worker.said(LEADS)));
      await rounds(5);
      expect([posted().length, mailed().length]).toEqual([1, 1]);
      await holder.query('rollback');
    } finally {
      await holder.end();
    }
    await eventually(
      () =>
        expect([posted(), mailed()]).toEqual([
          ['firing lag', 'resolved lag'],
          [
            '[Batch Service] Alert: The oldest operation has waited',
            '[Batch Service] Over: The oldest operation has waited',
          ],
        ]),
      { timeoutMs: 30_000 },
    );
    expect((await database.client.query('select from items')).rowCount).toBe(1);
  }, 120_000);

  it('are led by another process when the connection of the leader is cut, and nothing is told twice', async () => {
    const [first, second] = await Promise.all([
      start({ BATCH_ALERT_PARKED_NOTIFICATIONS: '1' }),
      start({ BATCH_ALERT_PARKED_NOTIFICATIONS: '1' }),
    ]);
    await Promise.all([first.up(), second.up()]);
    await database.client.query(
      `insert into batch.parked_notifications (chunk_id, source, reason, failures, parked_at, next_try_at)
       values (1, 's', 'r', 1, now(), now() + interval '1 day')`,
    );
    await eventually(() => expect(posted()).toEqual(['firing parked_notifications']), { timeoutMs: 30_000 });
    await rounds(2);
    const { rowCount } = await database.client.query(
      `select pg_terminate_backend(pid) from pg_locks
       where locktype = 'advisory' and classid = ${0x0b47c8} and objsubid = 2 and granted
         and database = (select oid from pg_database where datname = current_database())`,
    );
    expect(rowCount).toBe(1);
    await rounds(5);
    expect([posted().length, mailed().length]).toEqual([1, 1]);
  }, 120_000);

  it('that could not be sent are told in the log, without secrets, and are sent later', async () => {
    const port = await freePort();
    const service = await start({
      BATCH_ROLE: 'api',
      HTTP_PORT: String(await freePort()),
      BATCH_RPC_TCP_PORT: String(await freePort()),
      BATCH_ALERT_NO_WORKER_SECONDS: '1',
      SMTP_URL: `smtp://night:the-password@127.0.0.1:${port}`,
    });
    await service.said(/Alert could not be sent; it is tried again.*ECONNREFUSED/);
    await eventually(() => expect(posted()).toEqual(['firing no_worker']));
    for (const secret of ['the-password', SECRET, 'of-the-night']) expect(service.output).not.toContain(secret);
    const late = await startMailServer(
      {
        disabledCommands: ['STARTTLS'],
        allowInsecureAuth: true,
        onAuth: ({ username }, _, done) => done(null, { user: username }),
      },
      port,
    );
    try {
      await eventually(() => expect(late.mails).toHaveLength(1), { timeoutMs: 30_000 });
      expect(late.mails[0]!.user).toBe('night');
    } finally {
      await late.close();
    }
  });

  describe('npm run alerts -- test', () => {
    async function run(environment: TestEnvironment, args = ['test']): Promise<{ status: unknown; output: string }> {
      const program = await startServiceProcess({
        environment: { NODE_ENV: 'test', ...environment },
        program: 'alerts',
        args,
      });
      const status = await program.exited;
      return { status, output: program.output };
    }

    it('sends one message to every channel', async () => {
      const { status, output } = await run({ ...channels(), BATCH_ALERT_SLACK_URL: `${receiver.url}/slack` });
      expect({ status, lines: output.trim().split('\n').sort() }).toEqual({
        status: 0,
        lines: [
          'email: sent to ada@example.com',
          `slack: sent to ${new URL(receiver.url).host}`,
          `webhook: sent to ${new URL(receiver.url).host}`,
        ],
      });
      expect(mailed()).toEqual(['[Batch Service] Test: Messages arrive here']);
      expect(receiver.requests.map(({ path }) => path).sort()).toEqual(['/hook/of-the-night', '/slack']);
    });

    it('says which channel does not work, and why', async () => {
      receiver.answer(404);
      const { status, output } = await run(channels());
      expect(status).toBe(1);
      expect(output).toContain('email: sent to ada@example.com');
      expect(output).toMatch(/webhook: not sent to \S+: status 404: ok/);
      expect(output).toContain('1 of 2 channels do not work');
      expect(output).not.toContain(SECRET);
    });

    it('says why Slack is not reached, and what it answers', async () => {
      const closed = await run({ BATCH_ALERT_SLACK_URL: `http://127.0.0.1:${await freePort()}/slack` });
      expect(closed).toMatchObject({
        status: 1,
        output: expect.stringMatching(/slack: not sent .*ECONNREFUSED/) as string,
      });
      receiver.answer(404);
      const refused = await run({ BATCH_ALERT_SLACK_URL: `${receiver.url}/slack` });
      expect(refused).toMatchObject({
        status: 1,
        output: expect.stringMatching(/slack: not sent .*status 404: ok/) as string,
      });
    });

    it('says that no channel is configured', async () => {
      expect(await run({})).toEqual({
        status: 1,
        output: expect.stringContaining('No channel is configured') as string,
      });
      expect((await run({}, [])).status).toBe(2);
    });

    it('refuses a template that names a field which does not exist', async () => {
      const folder = await mkdtemp(join(tmpdir(), 'batch-templates-'));
      try {
        await writeFile(join(folder, 'alert.text.mustache'), '{{titel}}');
        const { status, output } = await run({ ...channels(), MAIL_TEMPLATE_DIR: folder });
        expect(status).toBe(1);
        expect(output).toContain(
          `MAIL_TEMPLATE_DIR: ${join(folder, 'alert.text.mustache')}: there is no field "titel"`,
        );
      } finally {
        await rm(folder, { recursive: true });
      }
    });
  });
});
