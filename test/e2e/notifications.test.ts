import { randomUUID } from 'node:crypto';
import { userInfo } from 'node:os';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { takeNotifierLock } from '../../src/services/notification/notification.sql.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';
import { startServiceProcess } from '../support/service-process.js';
import { countUnnotified, settleChunk, storeOperations } from '../support/settled-chunks.js';
import { testEnvironment, type TestEnvironment } from '../support/test-settings.js';

describe('npm run notifications', () => {
  let database: TestDatabase;
  let source: string;
  let chunkId: string;

  beforeAll(async () => {
    database = await createTestDatabase();
  });
  afterAll(() => database.drop());

  beforeEach(async () => {
    source = `shop-${randomUUID()}`;
    chunkId = await settleChunk(database, await storeOperations(database, 1, source), [], false);
    await database.client.query(
      `insert into batch.parked_notifications (chunk_id, source, reason, failures, parked_at, next_try_at)
       values ($1, $2, 'PRECONDITION_FAILED - message size 2 is larger than "1"', 3, '2026-01-01T08:00:00Z', now())`,
      [chunkId, source],
    );
    return () => database.client.query('delete from batch.parked_notifications');
  });

  async function run(args: string[], overrides: TestEnvironment = {}): Promise<{ status: unknown; output: string }> {
    const environment = testEnvironment({ ...database.environment, ...overrides });
    const program = await startServiceProcess({ environment, program: 'notifications', args });
    const status = await program.exited;
    return { status, output: program.output };
  }

  const countParked = async (): Promise<number> =>
    (await database.client.query('select from batch.parked_notifications')).rowCount ?? -1;

  it('lists parked notifications, with the reason', async () => {
    const { status, output } = await run(['list']);
    expect(status, output).toBe(0);
    expect(output).toContain(
      `${chunkId} ${source} 3 2026-01-01T08:00:00.000Z "PRECONDITION_FAILED - message size 2 is larger than \\"1\\""\n`,
    );
    expect(output).toContain('1 listed\n');
  });

  it('sends the notifications of a chunk again', async () => {
    const { status, output } = await run(['notify', chunkId]);
    expect({ status, output }).toEqual({
      status: 0,
      output: `A worker will send the notifications of chunk ${chunkId} again, to every source.\n`,
    });
    expect(await countParked()).toBe(0);
    expect(await countUnnotified(database)).toBe(1);
  });

  it('gives up the parked notifications of a chunk, once', async () => {
    expect(await run(['skip', chunkId])).toEqual({
      status: 0,
      output: `These sources will not be notified of chunk ${chunkId}: ${source}.\n`,
    });
    expect(await countParked()).toBe(0);
    expect(await run(['skip', chunkId])).toEqual({
      status: 1,
      output: `No notification of chunk ${chunkId} is parked\n`,
    });
  });

  it('keeps who did it in the audit', async () => {
    await run(['skip', chunkId]);
    await run(['notify', chunkId]);
    const { rows } = await database.client.query<object>(
      `select act, actor, details from batch.audit where subject_kind = 'chunk' and subject = $1 order by id`,
      [chunkId],
    );
    const actor = `command:${userInfo().username}`;
    expect(rows).toEqual([
      { act: 'skip', actor, details: { sources: [source] } },
      { act: 'notify', actor, details: {} },
    ]);
  });

  it('changes nothing while a round of the notifier takes long, and says so within seconds', async () => {
    const notifier = await database.client.connect();
    try {
      await notifier.query('begin');
      await notifier.query(takeNotifierLock());
      expect(await run(['notify', chunkId])).toEqual({
        status: 1,
        output: expect.stringContaining(
          `Nothing was changed for chunk ${chunkId}; send the request again in a second`,
        ) as string,
      });
    } finally {
      notifier.release(true);
    }
    expect(await countParked()).toBe(1);
  });

  it('says what is wrong with what it is asked', async () => {
    const usage = expect.stringContaining('Usage: ') as string;
    expect(await run(['skip', '1', '2'])).toMatchObject({ status: 2, output: usage });
    expect(await run(['notify', '999999'])).toEqual({ status: 1, output: 'There is no chunk 999999\n' });
    expect(await run(['notify', chunkId], { BATCH_SERVICE_RMQ_URL: '' })).toMatchObject({
      status: 1,
      output: expect.stringContaining('BATCH_SERVICE_RMQ_URL') as string,
    });
    expect(await countParked()).toBe(1);
  });
});
