import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { Queue } from 'bullmq';
import { afterEach, beforeEach, expect, inject, it } from 'vitest';
import { enqueue } from '../../src/worker/queue/job-options.js';
import { queueConnection } from '../../src/worker/queue/queue-connection.js';
import { bundleProgram } from '../support/bundle-program.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';
import { eventually } from '../support/eventually.js';
import { startMailServer, type MailServer } from '../support/mail-server.js';
import { uniqueName } from '../support/unique-name.js';
import { databaseConfig } from '../support/workers/test-worker.js';
import { WorkerProcess } from '../support/workers/worker-process.js';

/** What the SMTP server answers for these recipients: the first time, and afterwards. */
const LATER = 'later@example.org';
const NEVER = 'never@example.org';

let folder: string;
let database: TestDatabase;
let server: MailServer;
let queue: Queue;
let worker: WorkerProcess;
/** How often the server was asked to take a mail for each recipient. */
let asked: Map<string, number>;

beforeEach(async () => {
  asked = new Map();
  server = await startMailServer({
    onRcptTo({ address }, _session, done) {
      const before = asked.get(address) ?? 0;
      asked.set(address, before + 1);
      if (address === NEVER) return done(answer(550, 'no such user'));
      done(address === LATER && before === 0 ? answer(451, 'try again later') : undefined);
    },
  });
  database = await createTestDatabase({ migrated: false });
  const REDIS_URL = inject('services')!.redis.url;
  const name = uniqueName('mails');
  queue = new Queue(name, { connection: queueConnection({ REDIS_URL }) });
  folder = await mkdtemp(join(tmpdir(), 'mail-worker-'));
  const program = await bundleProgram(
    resolve(import.meta.dirname, '../support/workers/mail-worker-program.ts'),
    folder,
  );
  worker = new WorkerProcess(program, {
    ...{ WORKER_NAME: 'mail-worker', TEST_QUEUE: name, REDIS_URL },
    DATABASE_CONFIG: databaseConfig({ default: database.connection }),
    ...{ SMTP_URL: `smtp://127.0.0.1:${server.port}`, MAIL_FROM: 'shop@example.org' },
  });
});
afterEach(async () => {
  await worker.kill();
  await queue.obliterate({ force: true });
  await queue.close();
  await server.close();
  await database.drop();
  await rm(folder, { recursive: true, force: true });
});

const answer = (responseCode: number, message: string): Error => Object.assign(new Error(message), { responseCode });
const send = (to: string) => enqueue(queue, { type: 'send', targetId: to, data: { to }, backoff: 100 });

it('sends a mail once that the server takes at the second attempt; one that it refuses is not tried again', async () => {
  await send(LATER);
  await send(NEVER);

  await eventually(
    async () => expect(await queue.getJobCounts('completed', 'failed')).toEqual({ completed: 1, failed: 1 }),
    { timeoutMs: 30_000 },
  );

  expect(server.mails.map(({ to, subject }) => ({ to, subject }))).toEqual([{ to: [LATER], subject: LATER }]);
  expect([...asked].sort()).toEqual([
    [LATER, 2],
    [NEVER, 1],
  ]);
  const lines = (message: string) => worker.log.filter(({ msg }) => msg === message);
  expect(lines('job.done')).toEqual([expect.objectContaining({ targetId: LATER, attempt: 2 })]);
  await eventually(async () => {
    const { rows } = await database.client.query(
      'select target_id, attempts, code, reason from batch_worker.failed_jobs',
    );
    expect(rows).toEqual([
      {
        target_id: NEVER,
        attempts: 1,
        code: 'MAIL_REFUSED',
        reason: expect.stringContaining('no such user') as string,
      },
    ]);
  });
});
