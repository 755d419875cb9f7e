import { userInfo } from 'node:os';
import { connect, type ChannelModel, type ConfirmChannel } from 'amqplib';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { declareRpcTopology } from '../../src/services/rabbitmq/topology.js';
import { removeTopology } from '../support/amqp.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';
import { freePort } from '../support/free-port.js';
import { startServiceProcess } from '../support/service-process.js';
import { testEnvironment, testSettings, type TestEnvironment } from '../support/test-settings.js';
import { uniqueName } from '../support/unique-name.js';

describe('npm run parked-messages', () => {
  const { url } = testSettings().rabbitmq ?? { url: '' };
  let connection: ChannelModel;
  let channel: ConfirmChannel;
  let queue: string;
  let database: TestDatabase;

  beforeAll(async () => {
    connection = await connect(url);
    database = await createTestDatabase();
  });
  afterAll(async () => {
    await connection.close();
    await database.drop();
  });

  beforeEach(async () => {
    queue = uniqueName('dead_letters');
    await declareRpcTopology(connection, queue);
    channel = await connection.createConfirmChannel();
    for (const n of [1, 2, 3]) {
      channel.sendToQueue(`${queue}.parked`, Buffer.from(JSON.stringify({ pattern: 'nope', data: n })), {
        persistent: true,
        messageId: `m-${n}`,
        headers: {
          'x-batch-code': 'UNKNOWN_PATTERN',
          'x-batch-reason': "There is no pattern 'nope'",
          'x-batch-parked-at': `2026-01-01T08:00:0${n}.000Z`,
          'x-batch-parked-id': `p-${n}`,
        },
      });
    }
    await channel.waitForConfirms();
    return async () => {
      await channel.close();
      await removeTopology(connection, queue);
    };
  });

  const run = (...args: string[]) => runWith({}, ...args);

  async function runWith(
    more: TestEnvironment,
    ...args: string[]
  ): Promise<{ status: number | string; output: string }> {
    const environment = testEnvironment({ ...database.environment, BATCH_SERVICE_RMQ_QUEUE: queue, ...more });
    const program = await startServiceProcess({ environment, program: 'parked-messages', args });
    const status = await program.exited;
    return { status, output: program.output };
  }

  /** As `parked-messages … | true`: nobody reads what it writes. */
  async function runUnheard(...args: string[]): Promise<{ status: number | string; output: string }> {
    const environment = testEnvironment({ ...database.environment, BATCH_SERVICE_RMQ_QUEUE: queue });
    const program = await startServiceProcess({ environment, program: 'parked-messages', args });
    program.child.stdout?.destroy();
    const status = await program.exited;
    return { status, output: program.output };
  }

  const waiting = async (name: string): Promise<number> => (await channel.checkQueue(name)).messageCount;

  it('lists, sends again, discards, and says what it did', async () => {
    expect(await run('list', '--limit', '2')).toEqual({
      status: 0,
      output:
        '2026-01-01T08:00:01.000Z UNKNOWN_PATTERN p-1 (message m-1) "There is no pattern \'nope\'"\n' +
        '  "{\\"pattern\\":\\"nope\\",\\"data\\":1}"\n' +
        '2026-01-01T08:00:02.000Z UNKNOWN_PATTERN p-2 (message m-2) "There is no pattern \'nope\'"\n' +
        '  "{\\"pattern\\":\\"nope\\",\\"data\\":2}"\n' +
        `3 in ${queue}.parked, the oldest 2 of them shown\n`,
    });

    const replayed = await run('replay', '--id', 'm-2');
    expect(replayed).toMatchObject({
      status: 0,
      output: expect.stringMatching(`p-2 .*\n1 sent to ${queue}\n$`) as string,
    });
    expect(await waiting(queue)).toBe(1);

    const discarded = await run('discard', '--all');
    expect(discarded).toMatchObject({
      status: 0,
      output: expect.stringMatching(/p-1 .*\n.*p-3 .*\n2 discarded\n$/) as string,
    });
    expect(await waiting(`${queue}.parked`)).toBe(0);
  });

  it('keeps in the audit who moved what, and moves nothing where that cannot be', async () => {
    const nowhere = { DB_PORT: String(await freePort()) };
    for (const args of [['replay'], ['discard', '--all']]) {
      const { status, output } = await runWith(nowhere, ...args);
      expect(status).toBe(1);
      expect(output).toContain('DB_PORT');
    }
    expect(await waiting(`${queue}.parked`)).toBe(3);
    expect((await runWith(nowhere, 'list')).status).toBe(0);

    const { rows: earlier } = await database.client.query<{ id: string }>('select max(id) as id from batch.audit');
    await run('replay', '--id', 'm-2');
    await run('discard', '--all');
    const { rows } = await database.client.query(
      'select act, actor, subject_kind as kind, subject, details from batch.audit where id > coalesce($1, 0) order by id',
      [earlier[0]!.id],
    );
    const entry = (act: string, n: number) => ({
      ...{ act, actor: `command:${userInfo().username}`, kind: 'parked', subject: `p-${n}` },
      details: { code: 'UNKNOWN_PATTERN', messageId: `m-${n}` },
    });
    expect(rows).toEqual([entry('replay', 2), entry('discard', 1), entry('discard', 3)]);
  });

  it('ends in peace when its reader has gone, and does what was asked all the same', async () => {
    expect(await runUnheard('list')).toEqual({ status: 0, output: '' });
    expect(await runUnheard('replay')).toEqual({ status: 0, output: '' });
    expect(await waiting(queue)).toBe(3);
  });

  it.each(['replay', 'discard'])('says that there is nothing to %s under an id that is none', async (command) => {
    const { status, output } = await run(command, '--id', 'nosuch');
    expect(status).toBe(1);
    expect(output).toContain('There is no parked message with the id nosuch');
    expect(await waiting(`${queue}.parked`)).toBe(3);
  });

  it('hides what lets somebody in', async () => {
    const key = `bsk_0123456789abcdef_${'S3CRET'.repeat(8).slice(0, 43)}`;
    const address = `amqp://user:S3CRET${'x'.repeat(150)}@broker`;
    await channel.purgeQueue(`${queue}.parked`);
    channel.sendToQueue(`${queue}.parked`, Buffer.from(JSON.stringify({ apiKey: key, pad: 'p'.repeat(40), address })), {
      messageId: key,
      headers: { 'x-batch-code': 'INVALID_REQUEST', 'x-batch-reason': `not ${key} nor redis://c?password=S3CRET` },
    });
    await channel.waitForConfirms();
    const { status, output } = await run('list');
    expect(status).toBe(0);
    expect(output).toContain('bsk_0123456789abcdef_***');
    expect(output).not.toContain('S3CRET');
  });

  it('tells how it is used when asked', async () => {
    expect(await run('--help')).toMatchObject({ status: 0, output: expect.stringMatching(/^Usage/) as string });
  });

  it('says how it is used, and does nothing, when it does not understand', async () => {
    const { status, output } = await run('discard', '--id', 'm-1', '--all');
    expect(status).toBe(2);
    expect(output).toMatch(/^discard takes either --id <id> or --all\n\nUsage: npm run --silent parked-messages/);
    expect(await waiting(`${queue}.parked`)).toBe(3);
  });

  it('says which queue is missing', async () => {
    await channel.deleteQueue(`${queue}.parked`);
    const { status, output } = await run('list');
    expect(status).toBe(1);
    expect(output).toContain(`There is no queue ${queue}.parked: start the service once`);
  });
});
