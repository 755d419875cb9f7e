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
/** The same, after it has got the body of the mail. */
const GREYLISTED = 'greylisted@example.org';
const SPAM = 'spam@example.org';

let folder: string;
let database: TestDatabase;
let server: MailServer;
let queue: Queue;
let worker: WorkerProcess;
/** How often the server was asked to take a mail for each recipient, and how often it got its body. */
let asked: Map<string, number>;
let bodies: Map<string, number>;

beforeEach(async () => {
  asked = new Map();
  bodies = new Map();
  server = await startMailServer({
    onRcptTo({ address }, _session, done) {
      const before = count(asked, address);
      if (address === NEVER) return done(answer(550, 'no such user'));
      done(address === LATER && before === 0 ? answer(451, 'try again later') : undefined);
    },
    onMail({ to: [address = ''] }) {
      const before = count(bodies, address);
      if (address === SPAM) return answer(554, 'it looks like spam');
      return address === GREYLISTED && before === 0 ? answer(451, 'try again later') : undefined;
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

/** Counts one more. The result is how many there were before. */
function count(counted: Map<string, number>, address: string): number {
  const before = counted.get(address) ?? 0;
  counted.set(address, before + 1);
  return before;
}
const answer = (responseCode: number, message: string): Error => Object.assign(new Error(message), { responseCode });
const send = (to: string) => enqueue(queue, { type: 'send', targetId: to, data: { to }, backoff: 100 });

it.each([
  ['before', LATER, NEVER, 'no such user', 1],
  ['after', GREYLISTED, SPAM, 'it looks like spam', 2],
])(
  'sends a mail once that the server takes at the second attempt; one that it refuses %s the body is not tried again',
  async (_when, later, never, reason, laterBodies) => {
    await send(later);
    await send(never);

    await eventually(
      async () => expect(await queue.getJobCounts('completed', 'failed')).toEqual({ completed: 1, failed: 1 }),
      { timeoutMs: 30_000 },
    );

    expect(server.mails.map(({ to, subject }) => ({ to, subject }))).toEqual([{ to: [later], subject: later }]);
    expect([asked.get(later), asked.get(never)]).toEqual([2, 1]);
    expect([bodies.get(later), bodies.get(never) ?? 0]).toEqual([laterBodies, laterBodies - 1]);
    const lines = (message: string) => worker.log.filter(({ msg }) => msg === message);
    expect(lines('job.done')).toEqual([expect.objectContaining({ targetId: later, attempt: 2 })]);
    await eventually(async () => {
      const { rows } = await database.client.query(
        'select target_id, attempts, code, reason from batch_worker.failed_jobs',
      );
      expect(rows).toEqual([
        {
          target_id: never,
          attempts: 1,
          code: 'MAIL_REFUSED',
          reason: expect.stringContaining(reason) as string,
        },
      ]);
    });
  },
);
