import { enqueue, queueConnection, type NewJob } from 'batch-service/worker';
import { Queue } from 'bullmq';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createTestDatabase, type TestDatabase } from '../../../test/support/database.js';
import { eventually } from '../../../test/support/eventually.js';
import { startExample, startExampleProgram } from '../../../test/support/example.js';
import type { ObservedProcess } from '../../../test/support/observed-process.js';
import { startOwnRedis, type OwnRedis } from '../../../test/support/services/own-redis.js';
import { startTcpProxy, type TcpProxy } from '../../../test/support/tcp-proxy.js';
import { OUTCOME_QUEUE } from '../src/outcome.js';
import { PAYMENT_QUEUE } from '../src/payment.schema.js';
import { PlayedGateway } from '../src/played/played-gateway.js';
import { PlayedProvider, type Behaviour } from '../src/played/played-provider.js';

const PAYMENT = { amount: 4990, currency: 'EUR' };
const QUICK = { backoff: { type: 'fixed', delay: 50 } };

describe.each(['PostgreSQL', 'Redis'] as const)('the payment worker, with its queues in %s', (kind) => {
  const behaviours = new Map<string, Behaviour[]>();
  const workers: ObservedProcess[] = [];
  /** Called while the provider has the request of an order, and before it answers. */
  const whileCharged = new Map<string, () => void>();
  /** Called when the gateway has accepted the message of an order, and before it says so. */
  const whileTold = new Map<string, () => void>();
  let database: TestDatabase;
  let redis: OwnRedis | undefined;
  let environment: NodeJS.ProcessEnv;
  let provider: PlayedProvider;
  let gateway: PlayedGateway;
  let queue: Queue;
  let orders = 0;

  beforeAll(async () => {
    database = await createTestDatabase({ migrated: false });
    if (kind === 'Redis') redis = await startOwnRedis();
    provider = await PlayedProvider.start({
      behaviour: (orderId, request) => {
        whileCharged.get(orderId)?.();
        return behaviours.get(orderId)?.[request - 1] ?? 'charge';
      },
    });
    gateway = await PlayedGateway.start(({ orderId }) => whileTold.get(orderId)?.());
    environment = {
      WORKER_NAME: 'payment-worker',
      WORKER_CONCURRENCY: '3',
      ...(redis === undefined ? { WORKER_QUEUE_INSTANCE: 'default' } : { REDIS_URL: redis.url }),
      DATABASE_CONFIG: JSON.stringify({ instances: { default: instanceAt(database.connection) } }),
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
    await redis?.stop();
    await database?.drop();
  });

  function instanceAt({ host, port }: { host: string; port: number }): object {
    const { username: user, password, database: name } = database.connection;
    return { dbms: 'postgres', host, port, user, password, database: name, poolSize: 5 };
  }

  /** The queues behind a proxy, and the database without it. */
  function queuesThrough(proxy: TcpProxy): NodeJS.ProcessEnv {
    if (redis !== undefined) return { REDIS_URL: proxy.through(redis.url) };
    const instances = { default: instanceAt(database.connection), queue: instanceAt(proxy) };
    return { DATABASE_CONFIG: JSON.stringify({ instances }), WORKER_QUEUE_INSTANCE: 'queue' };
  }

  async function killWorkers(): Promise<void> {
    for (const worker of workers.splice(0)) await worker.end();
  }

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
    return stateOf(orderId);
  }

  async function stateOf(orderId: string) {
    const { rows } = await database.client.query<{ status: string }>(
      'select status from payment.payments where order_id = $1',
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
    expect(await redis?.admin.exists(`bull:${PAYMENT_QUEUE}:meta`)).toBe(kind === 'Redis' ? 1 : undefined);
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
    await killWorkers();
    expect(provider.chargesOf(order)).toBe(1);
    await startWorker();
    expect(await outcomeOf(order)).toEqual({ requests: 2, charges: 1, payments: ['charged'], told: ['charged'] });
  });

  it('tells the recorded outcome of an order whose worker was killed after the record, before it could tell', async () => {
    await killWorkers();
    const proxy = await startTcpProxy(redis?.address ?? database.connection);
    try {
      await startWorker(queuesThrough(proxy));
      const order = newOrder();
      // From here on the queue does not answer. The payment is recorded over another connection.
      whileCharged.set(order, () => proxy.stall());
      await pay(order);
      await eventually(async () => expect((await stateOf(order)).payments).toEqual(['charged']), { timeoutMs: 30_000 });
      await killWorkers();
      // What the worker has sent meanwhile never arrives.
      proxy.cut();
      whileCharged.delete(order);
      expect(await stateOf(order)).toEqual({ requests: 1, charges: 1, payments: ['charged'], told: [] });

      const second = await startWorker();

      expect(await outcomeOf(order)).toEqual({ requests: 2, charges: 1, payments: ['charged'], told: ['charged'] });
      expect(second.output).toContain('"msg":"job.stalled"');
    } finally {
      await proxy.close();
    }
  });

  it('tells the shop once when the worker was killed after the gateway had accepted the message', async () => {
    const order = newOrder();
    let kills = 0;
    whileTold.set(order, () => {
      kills++;
      for (const { child } of workers) child.kill('SIGKILL');
    });
    await pay(order);
    await outcomeOf(order);
    await killWorkers();
    whileTold.delete(order);
    const second = await startWorker();
    await second.said(new RegExp(`"jobId":"payment-outcome/${order}".*"msg":"job.done"`));
    expect(kills).toBe(1);
    expect(await stateOf(order)).toMatchObject({ charges: 1, payments: ['charged'], told: ['charged'] });
  });

  it('has no second effect when the job of an order comes again after all was done', async () => {
    const order = newOrder();
    const job = await pay(order);
    await outcomeOf(order);
    await eventually(async () => expect(await job.getState()).toBe('completed'), { timeoutMs: 30_000 });
    await job.remove();
    const again = await pay(order);
    await eventually(async () => expect(await again.getState()).toBe('completed'), { timeoutMs: 30_000 });
    const outcomes = new Queue(OUTCOME_QUEUE, { connection: queueConnection(environment) });
    await eventually(async () => expect(await outcomes.getJobCountByTypes('waiting', 'active', 'delayed')).toBe(0), {
      timeoutMs: 30_000,
    });
    await outcomes.close();
    expect(await stateOf(order)).toEqual({ requests: 2, charges: 1, payments: ['charged'], told: ['charged'] });
  });

  it('would charge twice with a provider that forgets the keys', async () => {
    await killWorkers();
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
});

it('the payment worker runs from the command line', async () => {
  const example = startExample('payment-worker');
  expect(await example.exited, example.output).toBe(0);
  expect(example.output.match(/✓ order-/g)).toHaveLength(7);
  expect(example.output).toContain('Worker B ended with 0');
});
