import { connect } from 'amqplib';
import { Redis } from 'ioredis';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { createTestDatabase, type TestDatabase } from '../../support/database.js';
import { clientOptions } from '../../support/test-databases.js';
import { testSettings } from '../../support/test-settings.js';

describe('the services of the tests', () => {
  let database: TestDatabase;
  beforeAll(async () => {
    database = await createTestDatabase();
  });
  afterAll(() => database.drop());

  it('gives each file a database that has the migrations applied', async () => {
    const { rows } = await database.client.query(`select to_regclass('batch.operations') is not null as migrated`);
    expect(rows).toEqual([{ migrated: true }]);
  });

  it('gives an empty database to a test of the migrations', async () => {
    const empty = await createTestDatabase({ migrated: false });
    try {
      const { rows } = await empty.client.query(`select to_regclass('batch.operations') as relation`);
      expect(rows).toEqual([{ relation: null }]);
    } finally {
      await empty.drop();
    }
  });

  it('drops a database that is still in use', async () => {
    const other = await createTestDatabase();
    const client = new pg.Client(clientOptions(other.connection));
    client.on('error', () => undefined);
    await client.connect();
    await other.drop();
    const { rows } = await database.client.query('select 1 from pg_database where datname = $1', [other.name]);
    expect(rows).toEqual([]);
    await expect(client.query('select 1')).rejects.toThrow();
  });

  it('points settings at the services of the run, and leaves out what is overridden with nothing', async () => {
    const settings = testSettings({ ...database.environment, REDIS_URL: '' });
    expect(settings.database).toMatchObject({ name: database.name, runMigrations: true });
    expect(settings.rabbitmq?.url).toBe(inject('services')?.rabbitmq.url);
    expect(settings.rabbitmq?.queue).not.toBe(testSettings().rabbitmq?.queue);
    expect(settings.redis).toBeUndefined();
  });

  it('has a broker and a Redis that work', async () => {
    const { rabbitmq, redis: redisServer } = testSettings();
    const connection = await connect(rabbitmq?.url ?? '');
    const channel = await connection.createChannel();
    const { queue } = await channel.assertQueue('', { exclusive: true });
    channel.sendToQueue(queue, Buffer.from('hello'));
    const message = await new Promise((resolve) => void channel.consume(queue, resolve, { noAck: true }));
    expect(message).toMatchObject({ content: Buffer.from('hello') });
    await connection.close();

    const redis = new Redis(redisServer?.url ?? '');
    expect(await redis.ping()).toBe('PONG');
    await redis.quit();
  });
});
