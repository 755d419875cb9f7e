import { randomUUID } from 'node:crypto';
import type { INestApplicationContext } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Databases, enqueue, queueConnection } from 'batch-service/worker';
import { Queue } from 'bullmq';
import type { DataSource } from 'typeorm';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { __CLASS__WorkerModule } from '../src/__NAME__-worker.module.js';
import { __CLASS__Processor } from '../src/__NAME__.processor.js';

// On the database that DATABASE_CONFIG names, in the environment or in `.env`. The queue is there too, so the tests need no Redis.
describe('a job of __NAME__', () => {
  const queueName = `__NAME__-test-${randomUUID()}`;
  let app: INestApplicationContext;
  let database: DataSource;
  let processor: __CLASS__Processor;
  let queue: Queue;

  beforeAll(async () => {
    process.env.WORKER_NAME ??= 'worker-__NAME__';
    delete process.env.REDIS_URL;
    process.env.WORKER_QUEUE_INSTANCE = 'default';
    app = await NestFactory.createApplicationContext(__CLASS__WorkerModule, { logger: false, abortOnError: false });
    processor = app.get(__CLASS__Processor);
    database = app.get(Databases).get();
    queue = new Queue(queueName, { connection: queueConnection() });
  });
  afterAll(async () => {
    await queue?.obliterate({ force: true });
    await queue?.close();
    await app?.close();
  });

  const add = (targetId: string, data: unknown) => enqueue(queue, { type: '__NAME__', targetId, data });

  async function resultsOf(targetId: string): Promise<string[]> {
    const rows = await database.query<{ text: string }[]>(`select text from "__SNAKE__".results where target_id = $1`, [
      targetId,
    ]);
    return rows.map(({ text }) => text);
  }

  it('writes its result', async () => {
    const targetId = randomUUID();
    const { id } = (await processor.process(await add(targetId, { text: 'hello' }))) as { id: number };
    expect(id).toBeGreaterThan(0);
    expect(await resultsOf(targetId)).toEqual(['hello']);
  });

  it('takes effect once, however often it is worked', async () => {
    const targetId = randomUUID();
    const job = await add(targetId, { text: 'once' });
    const [first, second] = await Promise.all([processor.process(job), processor.process(job)]);
    expect(second).toEqual(first);
    expect(await resultsOf(targetId)).toEqual(['once']);
  });

  it('is refused when its data does not fit', async () => {
    const targetId = randomUUID();
    await expect(processor.process(await add(targetId, { text: 5 }))).rejects.toMatchObject({ code: 'DATA_INVALID' });
    expect(await resultsOf(targetId)).toEqual([]);
  });
});
