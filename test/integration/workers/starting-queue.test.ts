import { Queue, Worker } from 'bullmq';
import { pino } from 'pino';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { putOff } from '../../../src/worker/processor/put-off.js';
import { awaitQueue } from '../../../src/worker/queue/await-queue.js';
import { enqueue } from '../../../src/worker/queue/job-options.js';
import { connectionOf } from '../../../src/worker/queue/queue-connection.js';
import { loadProducerSettings } from '../../../src/worker/settings/load-worker-settings.js';
import { Cleanup } from '../../support/cleanup.js';
import { createTestDatabase, type TestDatabase } from '../../support/database.js';
import { startStartingServer, type StartingServer } from '../../support/starting-server.js';
import { uniqueName } from '../../support/unique-name.js';
import { databaseConfig } from '../../support/workers/test-worker.js';

describe('a queue in a PostgreSQL that says that it starts', () => {
  let database: TestDatabase;
  let cleanup: Cleanup;

  beforeAll(async () => {
    database = await createTestDatabase({ migrated: false });
    cleanup = new Cleanup();
  });
  afterEach(async () => expect(await cleanup.run()).toEqual([]));
  afterAll(() => database?.drop());

  const startServer = async (refusals: number): Promise<StartingServer> => {
    const server = await startStartingServer(database.connection, refusals);
    cleanup.add('the server', () => server.close());
    return server;
  };
  const settingsOf = ({ host, port }: StartingServer) =>
    loadProducerSettings({
      WORKER_QUEUE_INSTANCE: 'default',
      DATABASE_CONFIG: databaseConfig({ default: { ...database.connection, host, port } }),
    });

  it('is awaited', async () => {
    const server = await startServer(2);

    await awaitQueue(settingsOf(server), { bootMs: 30_000 });

    expect(server.refused).toBe(2);
  });

  it('is not awaited longer than the start may take', async () => {
    const server = await startServer(Infinity);

    const awaited = awaitQueue(settingsOf(server), { bootMs: 0 });

    await expect(awaited).rejects.toMatchObject({
      code: 'QUEUE_UNAVAILABLE',
      faults: [expect.stringContaining('starting up')],
    });
  });

  it('gets the job that is put off, when it has started again', async () => {
    const server = await startServer(0);
    const settings = settingsOf(server);
    await awaitQueue(settings, { bootMs: 30_000 });
    const connection = connectionOf(settings);
    const name = uniqueName('starting');
    const queue = new Queue(name, { connection });
    const worker = new Worker(name, undefined, { connection, lockDuration: 60_000 });
    queue.on('error', () => undefined);
    worker.on('error', () => undefined);
    cleanup.add('the queue', () => queue.close());
    cleanup.add('the worker', () => worker.close());
    await enqueue(queue, { type: 'pay', targetId: '1', data: {} });
    const job = await worker.getNextJob('token');
    const lines: string[] = [];
    const write = (line: string): void => {
      lines.push(line);
      if (server.refused > 0) server.accept();
    };

    server.restart();
    await putOff(job, 'token', 60_000, pino({}, { write }));

    expect(server.refused).toBeGreaterThan(0);
    expect(lines.length).toBeGreaterThan(0);
    expect(await job.getState()).toBe('delayed');
    expect(await queue.getJob(job.id!)).toMatchObject({ attemptsMade: 0 });
  });
});
