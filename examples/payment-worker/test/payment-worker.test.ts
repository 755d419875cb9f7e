import { enqueue, queueConnection, type NewJob } from 'batch-service/worker';
import { Queue } from 'bullmq';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createTestDatabase, type TestDatabase } from '../../../test/support/database.js';
import { eventually } from '../../../test/support/eventually.js';
import { startExample, startExampleProgram } from '../../../test/support/example.js';
import type { ObservedProcess } from '../../../test/support/observed-process.js';
import { PAYMENT_QUEUE } from '../src/payment.schema.js';
import { PlayedGateway } from '../src/played/played-gateway.js';
import { PlayedProvider, type Behaviour } from '../src/played/played-provider.js';

const PAYMENT = { amount: 4990, currency: 'EUR' };
const QUICK = { backoff: { type: 'fixed', delay: 50 } };

describe('the payment worker', () => {
  const behaviours = new Map<string, Behaviour[]>();
  const workers: ObservedProcess[] = [];
  let database: TestDatabase;
  let environment: NodeJS.ProcessEnv;
  let provider: PlayedProvider;
  let gateway: PlayedGateway;
  let queue: Queue;
  let orders = 0;

  beforeAll(async () => {
    database = await createTestDatabase({ migrated: false });
    provider = await PlayedProvider.start({
      behaviour: (orderId, request) => behaviours.get(orderId)?.[request - 1] ?? 'charge',
    });
    gateway = await PlayedGateway.start();
    const { host, port, username: user, password, database: name } = database.connection;
    const instance = { dbms: 'postgres', host, port, user, password, database: name, poolSize: 5 };
    environment = {
      WORKER_NAME: 'payment-worker',
      WORKER_CONCURRENCY: '3',
      WORKER_QUEUE_INSTANCE: 'default',
      DATABASE_CONFIG: JSON.stringify({ instances: { default: instance } }),
      WORKER_LOCK_SECONDS: '2',
      PAYMENT_PROVIDER_URL: provider.url,
      OUTCOME_GATEWAY_URL: gateway.url,
    };
    // The worker makes the tables of the queues at its start.
    await startWorker();
    queue = new Queue(PAYMENT_QUEUE, { connection: queueConnection(environment) });
  });
  afterAll(async () => {
    for (const worker of workers) await worker.end();
    await queue?.close();
    await gateway?.close();
    await provider?.close();
    await database?.drop();
  });

  async function startWorker(variables: NodeJS.ProcessEnv = {}): Promise<ObservedProcess> {
    const worker = startExampleProgram('payment-worker', 'src/main', { ...environment, ...variables });
    workers.push(worker);
    await worker.said('worker.up');
    return worker;
  }

  /** @param first what the provider does with the first requests; then it charges */
  function newOrder(...first: Behaviour[]): string {
    const id = `order-${++orders}`;
    behaviours.set(id, first);
    return id;
  }

  const pay = (targetId: string, more: Partial<NewJob> = {}) =>
    enqueue(queue, { type: PAYMENT_QUEUE, targetId, data: PAYMENT, ...QUICK, ...more });

  /** Waits until the shop was told, and answers all that is known of an order. */
  async function outcomeOf(orderId: string) {
    await eventually(() => expect(gateway.messagesOf(orderId)).not.toEqual([]), { timeoutMs: 30_000 });
    const { rows } = await database.client.query<{ status: string; charge_id: string | null }>(
      'select status, charge_id from payment.payments where order_id = $1',
      [orderId],
    );
    return {
      requests: provider.requestsOf(orderId),
      charges: provider.chargesOf(orderId),
      payments: rows.map(({ status }) => status),
      told: gateway.messagesOf(orderId).map(({ status }) => status),
    };
  }

  it('charges an order, records the payment and tells the shop', async () => {
    const order = newOrder();
    await pay(order);
    expect(await outcomeOf(order)).toEqual({ requests: 1, charges: 1, payments: ['charged'], told: ['charged'] });
    const { rows } = await database.client.query<{ charge_id: string }>(
      'select charge_id from payment.payments where order_id = $1',
      [order],
    );
    expect(gateway.messagesOf(order)).toEqual([{ orderId: order, status: 'charged', chargeId: rows[0]!.charge_id }]);
  });

  it('charges an order once that is added several times', async () => {
    const order = newOrder();
    await Promise.all([pay(order), pay(order), pay(order)]);
    expect(await outcomeOf(order)).toMatchObject({ requests: 1, charges: 1, told: ['charged'] });
  });

  it('sends an order again while the provider is unavailable', async () => {
    const order = newOrder('unavailable', 'unavailable');
    await pay(order);
    expect(await outcomeOf(order)).toEqual({ requests: 3, charges: 1, payments: ['charged'], told: ['charged'] });
  });

  it.each(['charge-silently', 'charge-unavailable'] as const)('does not charge again after %s', async (behaviour) => {
    const order = newOrder(behaviour);
    await pay(order);
    expect(await outcomeOf(order)).toEqual({ requests: 2, charges: 1, payments: ['charged'], told: ['charged'] });
  });

  it('takes a declined order as an outcome, and does not try again', async () => {
    const order = newOrder('decline');
    await pay(order);
    expect(await outcomeOf(order)).toEqual({ requests: 1, charges: 0, payments: ['declined'], told: ['declined'] });
  });

  it('records and tells an order whose attempts are over', async () => {
    const order = newOrder('unavailable', 'unavailable', 'unavailable');
    await pay(order, { attempts: 3 });
    expect(await outcomeOf(order)).toEqual({ requests: 3, charges: 0, payments: [], told: ['failed'] });
    const { rows } = await database.client.query(
      'select code, attempts from batch_worker.failed_jobs where job_type = $1 and target_id = $2',
      [PAYMENT_QUEUE, order],
    );
    expect(rows).toEqual([{ code: 'PROVIDER_UNAVAILABLE', attempts: 3 }]);
  });

  it('sends nothing to the provider when the data does not fit', async () => {
    const order = newOrder();
    await pay(order, { data: { amount: -5, currency: 'EUR' } });
    expect(await outcomeOf(order)).toEqual({ requests: 0, charges: 0, payments: [], told: ['failed'] });
  });

  it('charges an order once whose worker was killed while the provider charged', async () => {
    const order = newOrder('charge-silently');
    const requested = provider.requested(order);
    await pay(order);
    await requested;
    for (const worker of workers.splice(0)) await worker.end();
    expect(provider.chargesOf(order)).toBe(1);
    await startWorker();
    expect(await outcomeOf(order)).toEqual({ requests: 2, charges: 1, payments: ['charged'], told: ['charged'] });
  });

  it('would charge twice with a provider that forgets the keys', async () => {
    for (const worker of workers.splice(0)) await worker.end();
    const forgetful = await PlayedProvider.start({
      behaviour: (_orderId, request) => (request === 1 ? 'charge-unavailable' : 'charge'),
      recognisesKeys: false,
    });
    try {
      const worker = await startWorker({ PAYMENT_PROVIDER_URL: forgetful.url });
      const order = newOrder();
      await pay(order);
      await outcomeOf(order);
      expect(forgetful.chargesOf(order)).toBe(2);
      await worker.end();
    } finally {
      await forgetful.close();
    }
  });

  it('runs from the command line', async () => {
    const example = startExample('payment-worker');
    expect(await example.exited, example.output).toBe(0);
    expect(example.output.match(/✓ order-/g)).toHaveLength(7);
    expect(example.output).toContain('Worker B ended with 0');
  });
});
