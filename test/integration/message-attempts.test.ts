import { randomUUID } from 'node:crypto';
import type { DataSource } from 'typeorm';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createDataSource } from '../../src/services/database/data-source.js';
import { DatabaseService } from '../../src/services/database/database.service.js';
import { MessageAttemptsService } from '../../src/services/rabbitmq/message-attempts.service.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';
import { testSettings } from '../support/test-settings.js';

describe('the attempts at messages that came back', () => {
  let database: TestDatabase;
  let dataSource: DataSource;
  let attempts: MessageAttemptsService;

  beforeAll(async () => {
    database = await createTestDatabase();
    dataSource = await createDataSource(testSettings(database.environment)).initialize();
    attempts = new MessageAttemptsService(new DatabaseService(dataSource));
  });
  afterAll(async () => {
    await dataSource.destroy();
    await database.drop();
  });

  it('are counted from the begin of each to its end', async () => {
    const [a, b] = [randomUUID(), randomUUID()];
    expect(await attempts.count([a, b])).toEqual(new Map());
    await attempts.begin([a, b]);
    await attempts.begin([b]);
    expect(await attempts.count([a, b])).toEqual(
      new Map([
        [a, 1],
        [b, 2],
      ]),
    );
    await attempts.conclude([b]);
    expect(await attempts.count([a, b])).toEqual(new Map([[a, 1]]));
  });

  it('are one at a time for messages that are alike', async () => {
    const twin = randomUUID();
    await attempts.begin([twin, twin, twin]);
    expect(await attempts.count([twin])).toEqual(new Map([[twin, 1]]));
  });

  it('are counted right by processes that record them in another order', async () => {
    const all = Array.from({ length: 50 }, () => randomUUID());
    await Promise.all(Array.from({ length: 8 }, (_, n) => attempts.begin(n % 2 === 0 ? all : all.toReversed())));
    expect(new Set((await attempts.count(all)).values())).toEqual(new Set([8]));
  });

  it('are forgotten after a day, but for those that are begun again', async () => {
    const [old, again, young] = [randomUUID(), randomUUID(), randomUUID()];
    await attempts.begin([old, again]);
    await database.client.query(`update batch.message_attempts set last_at = now() - interval '25 hours'`);
    await attempts.begin([again, young]);
    expect(await attempts.count([old, again, young])).toEqual(
      new Map([
        [again, 2],
        [young, 1],
      ]),
    );
  });
});
