import type { Options } from 'amqplib';
import * as fc from 'fast-check';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { connectAmqpCaller, type AmqpCaller } from '../support/amqp.js';
import { anyJson, hostileText, wrongBody } from '../support/fuzz/arbitraries.js';
import { startFuzzedService, type FuzzedService } from '../support/fuzz/fuzzed-service.js';
import { assertRpcAnswer, rpcRequest } from '../support/fuzz/rpc.js';

/** What AMQP itself can carry in a short text. */
const short = hostileText.map((text) => Buffer.from(text).toString().slice(0, 60));
const properties: fc.Arbitrary<Options.Publish> = fc.record(
  {
    messageId: short,
    contentType: short,
    contentEncoding: short,
    type: short,
    appId: short,
    priority: fc.nat(255),
    timestamp: fc.nat(),
    headers: fc.dictionary(
      fc.oneof(
        fc.constantFrom('x-request-id', 'x-delivery-count', 'x-death', '__proto__', 'x-batch-code'),
        short.filter((text) => text !== ''),
      ),
      fc.oneof(short, fc.integer(), fc.boolean(), fc.array(short, { maxLength: 3 }), fc.constant(null)),
      { maxKeys: 3, noNullPrototype: true },
    ),
  },
  { requiredKeys: [] },
);

describe('arbitrary messages over RabbitMQ', () => {
  let fuzzed: FuzzedService;
  let caller: AmqpCaller;

  beforeAll(async () => {
    fuzzed = await startFuzzedService({ BATCH_MAX_BODY_KB: '256', BATCH_MAX_OPERATION_KB: '64' });
    const { url, queue } = fuzzed.service.settings.rabbitmq!;
    caller = await connectAmqpCaller(url, queue);
  });
  afterEach(async () => {
    expect(await caller.call('nobody', 1)).toMatchObject({ err: { code: 'UNKNOWN_PATTERN' } });
    await fuzzed.assertUnharmed();
  });
  afterAll(async () => {
    await fuzzed.close();
    await caller.close();
  });

  it('are answered', async () => {
    const some = fc.array(fc.tuple(rpcRequest, properties), { minLength: 1, maxLength: 10 });
    await fc.assert(
      fc.asyncProperty(some, async (requests) => {
        await Promise.all(
          requests.map(async ([{ pattern, data }, more]) =>
            assertRpcAnswer(pattern, await caller.call(pattern, data, more)),
          ),
        );
      }),
      fuzzed.parameters(120),
    );
    await fuzzed.assertReached();
  });

  it('are refused when they are no request', async () => {
    const wrong = fc.oneof(
      wrongBody,
      anyJson.filter((value) => !isRequest(value)).map((value) => Buffer.from(JSON.stringify(value))),
      fc
        .record({ pattern: anyJson.filter((value) => typeof value !== 'string'), data: anyJson })
        .map((value) => Buffer.from(JSON.stringify(value))),
    );
    await fc.assert(
      fc.asyncProperty(wrong, properties, async (body, more) => {
        assertRpcAnswer('', await caller.callRaw(body, more));
      }),
      fuzzed.parameters(50),
    );
  });

  it('do no harm when nobody waits for an answer', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.oneof(
          rpcRequest.map((request) => Buffer.from(JSON.stringify(request))),
          wrongBody,
        ),
        properties,
        (body, more) => caller.sendRaw(body, more),
      ),
      fuzzed.parameters(50),
    );
    // Answered after all of them were begun.
    expect(await caller.call('get_operation', { id: '0198f2a0-3b1c-7d4e-9f50-6a7b8c9d0e1f' })).toMatchObject({
      err: { code: 'OPERATION_NOT_FOUND' },
    });
  });
});

function isRequest(value: unknown): boolean {
  return typeof value === 'object' && value !== null && 'pattern' in value;
}
