import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import { connect } from 'amqplib';
import { describe, expect, it } from 'vitest';
import { startTestApp, type TestApp } from '../support/app.js';
import type { TestEnvironment } from '../support/test-settings.js';

const SCHEMA = 'create table orders (id int primary key, total numeric(10, 2), status text)';
const execute = promisify(execFile);

/** The programs of docs/wire-format.md, by the part in which they stand. */
async function example(part: string): Promise<string> {
  const text = await readFile(new URL('../../docs/wire-format.md', import.meta.url), 'utf8');
  const [, section = ''] = text.split(`\n## ${part}\n`);
  const [, program] = /```js\n(.*?)```/s.exec(section.split('\n## ')[0] ?? '') ?? [];
  if (program === undefined) throw new Error(`docs/wire-format.md has no example in '${part}'`);
  return program;
}

async function run(program: string, service: TestApp): Promise<string> {
  const { rabbitmq, rpcTcp } = service.settings;
  const environment: Record<string, string> = {
    PATH: process.env.PATH ?? '',
    BATCH_RPC_TCP_PORT: String(rpcTcp.port),
    ...(rabbitmq && { BATCH_SERVICE_RMQ_URL: rabbitmq.url, BATCH_SERVICE_RMQ_QUEUE: rabbitmq.queue }),
  };
  const options = { env: environment, timeout: 20_000 };
  return (await execute(process.execPath, ['--input-type=module', '--eval', program], options)).stdout;
}

async function withService(environment: TestEnvironment, work: (service: TestApp) => Promise<void>): Promise<void> {
  const service = await startTestApp({ BATCH_PROCESS_OPERATION_INTERVAL: '200', ...environment }, { schema: SCHEMA });
  try {
    await work(service);
  } finally {
    await service.close();
  }
}

describe('docs/wire-format.md', () => {
  it('has a program that works over RabbitMQ', () =>
    withService({}, async (service) => {
      const output = await run(await example('RPC over RabbitMQ'), service);
      expect(output).toMatch(/status: 'pending',\s+created: true/);
      expect(output).toContain("status: 'completed'");
    }));

  it('has a program that works over TCP', () =>
    withService({ BATCH_SERVICE_RMQ_URL: '' }, async (service) => {
      expect(await run(await example('RPC over TCP'), service)).toMatch(/status: 'pending',\s+created: true/);
    }));

  it('has a program that is notified of settled operations', () =>
    withService({}, async (service) => {
      const connection = await connect(service.settings.rabbitmq?.url ?? '');
      const channel = await connection.createChannel();
      const queue = 'checkout.settled';
      // As the program declares it, so that nothing is sent before its queue is there.
      await channel.assertQueue(queue, { durable: true, arguments: { 'x-queue-type': 'quorum' } });
      await channel.bindQueue(queue, 'batch.events', 'operations.settled.checkout');
      try {
        // Ended after the first message.
        const ack = 'channel.ack(message);';
        const program = (await example('Notifications')).replace(
          ack,
          `${ack} channel.close().then(() => connection.close());`,
        );
        const output = run(program, service);
        const response = await fetch(`${service.url}/api/v1/operations`, {
          method: 'POST',
          headers: { 'content-type': 'application/json' },
          body: JSON.stringify({ operationType: 'insert', target: 'orders', values: { id: 1 }, source: 'checkout' }),
        });
        const { id } = (await response.json()) as { id: string };
        expect(await output).toContain(`${id} is done`);
      } finally {
        await channel.deleteQueue(queue);
        await connection.close();
      }
    }));
});
