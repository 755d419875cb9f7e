import { randomUUID } from 'node:crypto';
import { ClientProxyFactory, Transport, type ClientProxy } from '@nestjs/microservices';
import { firstValueFrom } from 'rxjs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { BatchServiceClient } from '../../../src/client/batch-service.client.js';
import { RPC_PATTERNS } from '../../../src/interfaces/rpc.js';
import { SCOPES, type KeyScope } from '../../../src/interfaces/access.js';
import { createTestKey, KEYS_REQUIRED } from '../../support/api-keys.js';
import { connectAmqpCaller } from '../../support/amqp.js';
import { startTestApp, type TestApp } from '../../support/app.js';
import { fingerprint } from './fingerprint.js';

const PATTERNS = Object.values(RPC_PATTERNS);
const SCOPE_OF: Record<(typeof PATTERNS)[number], KeyScope> = {
  create_operation: 'write',
  create_operations: 'write',
  plan_operations: 'write',
  get_operation: 'read',
  wait_for_operation: 'read',
  cancel_operation: 'write',
  retry_operation: 'write',
  retry_operations: 'write',
  cancel_operations: 'write',
  erase_operations: 'admin',
  get_bulk_action: 'read',
  list_bulk_actions: 'read',
  stop_bulk_action: 'write',
};
/** What stands in the table and in no refusal. */
const DATA = 'the row that nobody may see';

let service: TestApp;
let keys: Record<KeyScope, string>;
let operation: string;
let bulkAction: string;

beforeAll(async () => {
  service = await startTestApp(
    { ...KEYS_REQUIRED, BATCH_SERVICE_RMQ_URL: '', REDIS_URL: '', BATCH_PROCESS_OPERATION_INTERVAL: '60000' },
    { schema: 'create table notes (id int primary key, text text not null)' },
  );
  keys = Object.fromEntries(
    await Promise.all(SCOPES.map(async (scope) => [scope, await createTestKey(service.database.client, [scope])])),
  ) as Record<KeyScope, string>;
  const { id } = await call<{ id: string }>('create_operation', insert({ runAt: '2030-01-01T00:00:00Z' }), keys.write);
  operation = id;
  bulkAction = (await call<{ id: string }>('retry_operations', { filter: { source: 'nobody' } }, keys.write)).id;
});

afterAll(() => service.close());

const insert = (more: object = {}): object => ({
  id: randomUUID(),
  operationType: 'insert',
  target: 'notes',
  values: { id: 1, text: DATA },
  ...more,
});

/** As a caller that puts its key into the packet itself. */
async function call<T>(pattern: string, data: unknown, apiKey?: unknown): Promise<T> {
  const client: ClientProxy = ClientProxyFactory.create({
    transport: Transport.TCP,
    options: {
      ...service.settings.rpcTcp,
      serializer: { serialize: (packet: object) => ({ ...packet, ...(apiKey !== undefined && { apiKey }) }) },
    },
  });
  try {
    return await firstValueFrom(client.send<T>(pattern, data));
  } finally {
    await client.close();
  }
}

function requestOf(pattern: string): object {
  if (pattern === 'create_operation') return insert();
  if (pattern === 'create_operations' || pattern === 'plan_operations') return { operations: [insert()] };
  if (pattern === 'list_bulk_actions') return { limit: 10 };
  if (pattern.endsWith('_bulk_action')) return { id: bulkAction };
  if (pattern.endsWith('_operations')) return { filter: { target: 'notes' }, dryRun: true };
  return { id: operation, ...(pattern === 'wait_for_operation' && { timeoutMs: 0 }) };
}

async function expectRefusals(apiKey: unknown, code: string, among: readonly string[] = PATTERNS): Promise<void> {
  const before = await fingerprint(service.database.client, 'notes');
  for (const pattern of among) {
    const refusal = await call(pattern, requestOf(pattern), apiKey).then(
      () => expect.fail(`${pattern} was answered`),
      (error: object) => error,
    );
    expect(refusal, pattern).toMatchObject({ status: 'error', code });
    expect(JSON.stringify(refusal), pattern).not.toMatch(/notes|nobody may see/);
  }
  expect(await fingerprint(service.database.client, 'notes')).toEqual(before);
}

describe('RPC over TCP where API keys are required', () => {
  it('refuses every pattern without a key', () => expectRefusals(undefined, 'API_KEY_REQUIRED'));

  it.each([
    ['that was never made', `bsk_0123456789abcdef_${'A'.repeat(43)}`],
    ['that is none', 'nonsense'],
    ['that is no text', { $ne: '' }],
    ['that is null', null],
  ])('refuses every pattern with a key %s', (_what, key) => expectRefusals(key, 'INVALID_API_KEY'));

  it.each(['revoked', 'expired'] as const)('refuses every pattern with a key that is %s', async (state) => {
    await expectRefusals(await createTestKey(service.database.client, ['admin'], { state }), 'INVALID_API_KEY');
  });

  it.each(['read', 'write'] as const)('refuses a key of scope %s every pattern of the other scope', async (given) => {
    const others = PATTERNS.filter((pattern) => SCOPE_OF[pattern] !== given);
    expect(others.length).toBeGreaterThan(1);
    await expectRefusals(keys[given], 'SCOPE_REQUIRED', others);
  });

  it.each(SCOPES)('answers a key of scope %s where it is enough', async (given) => {
    for (const pattern of PATTERNS.filter((each) => given === 'admin' || SCOPE_OF[each] === given)) {
      // It has ended at once, as nothing matched.
      await service.database.client.query(
        `update batch.bulk_actions set status = 'running', ended_at = null, leased_until = now() + interval '1 hour'`,
      );
      // What one scope has cancelled is pending again by its retry.
      expect(await call(pattern, requestOf(pattern), keys[given]), pattern).toBeTypeOf('object');
    }
  });

  it('serves our client with its key, and tells it when that is missing', async () => {
    const { host, port } = service.settings.rpcTcp;
    const writer = new BatchServiceClient({ transport: 'tcp', host, port, apiKey: keys.write });
    const nobody = new BatchServiceClient({ transport: 'tcp', host, port });
    try {
      expect(await writer.insert('notes', { id: 77, text: 'x' })).toMatchObject({ created: true });
      await expect(nobody.insert('notes', { id: 78, text: 'x' })).rejects.toMatchObject({ code: 'API_KEY_REQUIRED' });
    } finally {
      await writer.onApplicationShutdown();
      await nobody.onApplicationShutdown();
    }
  });
});

describe('RPC over RabbitMQ where API keys are required', () => {
  it('is for the users of the broker, without a key', async () => {
    const behindBroker = await startTestApp(
      { ...KEYS_REQUIRED, BATCH_ROLE: 'api', REDIS_URL: '' },
      { schema: 'create table notes (id int primary key, text text not null)' },
    );
    const { url, queue } = behindBroker.settings.rabbitmq!;
    const caller = await connectAmqpCaller(url, queue);
    try {
      expect(await caller.call('create_operation', insert())).toMatchObject({ response: { created: true } });
    } finally {
      await caller.close();
      await behindBroker.close();
    }
  });
});
