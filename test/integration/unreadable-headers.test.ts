import { promisify } from 'node:util';
import type { Channel } from 'amqplib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { RabbitmqServer } from '../../src/controllers/rpc/rabbitmq.server.js';
import { HealthService } from '../../src/services/health/health.service.js';
import { MetricsService } from '../../src/services/observability/metrics.service.js';
import { RabbitmqService } from '../../src/services/rabbitmq/rabbitmq.service.js';
import { connectAmqpCaller, type AmqpCaller } from '../support/amqp.js';
import { AttemptsInMemory } from '../support/attempts-in-memory.js';
import { eventually } from '../support/eventually.js';
import { testSettings } from '../support/test-settings.js';

/** Deeper than the library's stack reaches; the broker takes it. */
const DEPTH = 9000;

const shortText = (text: string): Buffer => Buffer.concat([Buffer.from([text.length]), Buffer.from(text)]);

function longText(bytes: Buffer): Buffer {
  const length = Buffer.alloc(4);
  length.writeUInt32BE(bytes.length);
  return Buffer.concat([length, bytes]);
}

/** A table in a table in a table. */
function nestedTable(depth: number): Buffer {
  const levels = Array.from({ length: depth }, (_, level) => {
    const head = Buffer.from([1, 0x61, 0x46, 0, 0, 0, 0]);
    head.writeUInt32BE((depth - level - 1) * 7, 3);
    return head;
  });
  return longText(Buffer.concat(levels));
}

function frame(type: number, channel: number, payload: Buffer): Buffer {
  const head = Buffer.alloc(7);
  head.writeUInt8(type);
  head.writeUInt16BE(channel, 1);
  head.writeUInt32BE(payload.length, 3);
  return Buffer.concat([head, payload, Buffer.from([0xce])]);
}

/** As no library publishes it: `content_type`, then the headers as these bytes, then `reply_to`. */
function publishRaw(channel: Channel, queue: string, body: string, headers: Buffer, replyTo: string): void {
  const { ch, connection } = channel as unknown as { ch: number; connection: { stream: { write(b: Buffer): void } } };
  const publish = Buffer.concat([Buffer.from([0, 60, 0, 40, 0, 0, 0]), shortText(queue), Buffer.from([0])]);
  const size = Buffer.alloc(8);
  size.writeUInt32BE(Buffer.byteLength(body), 4);
  const flags = Buffer.from([0xa2, 0]);
  const content = [Buffer.from([0, 60, 0, 0]), size, flags, shortText('application/json'), headers, shortText(replyTo)];
  connection.stream.write(
    Buffer.concat([frame(1, ch, publish), frame(2, ch, Buffer.concat(content)), frame(3, ch, Buffer.from(body))]),
  );
}

describe('a message whose headers cannot be read', () => {
  let caller: AmqpCaller;
  let server: RabbitmqServer;
  let queue: string;

  beforeEach(async () => {
    const { rabbitmq, ...settings } = testSettings();
    if (rabbitmq === undefined) throw new Error('this test needs RabbitMQ');
    queue = rabbitmq.queue;
    const all = { ...settings, rabbitmq };
    server = new RabbitmqServer(
      all,
      new RabbitmqService(all, new HealthService()),
      new MetricsService(),
      new AttemptsInMemory(),
    );
    server.addHandler('echo', async (data: unknown) => data);
    await promisify((done: (error?: unknown) => void) => server.listen(done))();
    caller = await connectAmqpCaller(rabbitmq.url, queue);
  });
  afterEach(async () => {
    await server.close();
    await caller.close();
  });

  it('is parked when it is refused, like any other, and harms none of those around it', async () => {
    const body = '{"pattern":"nope"}';
    publishRaw(caller.channel, queue, body, nestedTable(DEPTH), '');
    expect(await caller.call('echo', 1)).toMatchObject({ response: 1 });
    const { content, properties } = await caller.nextParked();
    expect(content.toString()).toBe(body);
    expect(properties).toMatchObject({
      contentType: 'application/json',
      headers: { 'x-batch-code': 'UNKNOWN_PATTERN', 'x-batch-headers-dropped': true },
    });
  });

  it('is executed, and answered where it says', async () => {
    const channel = await caller.connection.createChannel();
    const { queue: replies } = await channel.assertQueue('', { exclusive: true });
    const answers: string[] = [];
    await channel.consume(replies, (message) => answers.push(message!.content.toString()), { noAck: true });
    publishRaw(caller.channel, queue, '{"pattern":"echo","id":"1","data":7}', nestedTable(DEPTH), replies);
    await eventually(() =>
      expect(answers.map((answer): unknown => JSON.parse(answer))).toMatchObject([{ response: 7 }]),
    );
    await channel.close();
  });
});
