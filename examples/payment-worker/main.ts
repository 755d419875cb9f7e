// `npm run example payment-worker`: pays seven orders through a provider that misbehaves, and kills the worker in the middle.
import { spawn, type ChildProcess } from 'node:child_process';
import { on, once } from 'node:events';
import { join } from 'node:path';
import { enqueue, queueConnection } from 'batch-service/worker';
import { Queue } from 'bullmq';
import { PAYMENT_QUEUE } from './src/payment.schema.js';
import { PlayedGateway } from './src/played/played-gateway.js';
import { KILLED, ORDERS } from './src/played/played-orders.js';
import { PlayedProvider } from './src/played/played-provider.js';

const TIMEOUT_MS = 60_000;

const waiting = new Set(ORDERS.map(({ id }) => id));
let allTold = (): void => undefined;
const told = new Promise<void>((resolve) => (allTold = resolve));

const provider = await PlayedProvider.start({
  behaviour: (orderId, request) => ORDERS.find(({ id }) => id === orderId)!.behaviour(request),
});
const gateway = await PlayedGateway.start(({ orderId, status }) => {
  console.log(`  told: ${orderId} ${status}`);
  waiting.delete(orderId);
  if (waiting.size === 0) allTold();
});
const workers: ChildProcess[] = [];
try {
  process.exitCode = await run();
} finally {
  for (const worker of workers) worker.kill('SIGKILL');
  await gateway.close();
  await provider.close();
}

async function run(): Promise<number> {
  const environment = workerEnvironment();
  console.log(`A provider that misbehaves on ${provider.url}, and the gateway of the shop on ${gateway.url}`);
  const first = startWorker('A', environment);
  // The worker makes the tables of the queues at its start.
  await up(first);
  const queue = new Queue(PAYMENT_QUEUE, { connection: queueConnection(environment) });
  const killing = provider.requested(KILLED);
  for (const { id, added = 1 } of ORDERS) {
    for (let time = 1; time <= added; time++) await addOrder(queue, id);
  }
  console.log(`Added ${ORDERS.length} orders`);
  await killing;
  first.kill('SIGKILL');
  await once(first, 'exit');
  console.log(`Worker A killed while ${KILLED} was with the provider`);
  const second = startWorker('B', environment);
  const inTime = await withinTime(told);
  second.kill('SIGTERM');
  const [code] = (await once(second, 'exit')) as [number | null];
  await queue.close();
  const right = ORDERS.map(report).every(Boolean);
  if (!inTime) console.log(`Not told within ${TIMEOUT_MS / 1000} seconds: ${[...waiting].join(', ')}`);
  console.log(`Worker B ended with ${code}`);
  return right && inTime && code === 0 ? 0 : 1;
}

async function addOrder(queue: Queue, id: string): Promise<void> {
  // Short waits, so that somebody at a terminal sees the end.
  const backoff = { type: 'exponential', delay: 200, jitter: 0.5 };
  await enqueue(queue, {
    type: PAYMENT_QUEUE,
    targetId: id,
    data: { amount: 4990, currency: 'EUR' },
    attempts: 4,
    backoff,
  });
}

function report({ id, shows, expected }: (typeof ORDERS)[number]): boolean {
  const charges = provider.chargesOf(id);
  const statuses = gateway.messagesOf(id).map(({ status }) => status);
  const right = charges === expected.charges && statuses.join() === expected.status;
  const facts = `${provider.requestsOf(id)} requests, ${charges} charges, told ${statuses.join(' and ') || 'nothing'}`;
  console.log(`${right ? '✓' : '✗'} ${id} (${shows}): ${facts}`);
  return right;
}

function workerEnvironment(): NodeJS.ProcessEnv {
  const {
    PATH,
    HOME,
    DB_HOST: host,
    DB_PORT,
    DB_USERNAME: user,
    DB_PASSWORD: password,
    DB_NAME: database,
  } = process.env;
  const instance = { dbms: 'postgres', host, port: Number(DB_PORT), user, password, database, poolSize: 5 };
  return {
    PATH,
    HOME,
    WORKER_NAME: 'payment-worker',
    WORKER_CONCURRENCY: '2',
    // The queues are in the database of this run. With REDIS_URL instead they are in Redis.
    WORKER_QUEUE_INSTANCE: 'default',
    DATABASE_CONFIG: JSON.stringify({ instances: { default: instance } }),
    // A job whose worker was killed is taken over after this time.
    WORKER_LOCK_SECONDS: '3',
    PAYMENT_PROVIDER_URL: provider.url,
    OUTCOME_GATEWAY_URL: gateway.url,
  };
}

function startWorker(name: string, environment: NodeJS.ProcessEnv): ChildProcess {
  const program = join(import.meta.dirname, 'src/main.js');
  const worker = spawn(process.execPath, ['--enable-source-maps', program], {
    env: environment,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  workers.push(worker);
  worker.stdout.on('data', (chunk: Buffer) => {
    for (const line of chunk.toString().split('\n')) showLine(name, line);
  });
  return worker;
}

/** Resolves when a worker takes jobs. */
async function up(worker: ChildProcess): Promise<void> {
  for await (const [chunk] of on(worker.stdout!, 'data', { close: ['end'] }) as AsyncIterable<[Buffer]>) {
    if (chunk.toString().includes('worker.up')) return;
  }
  throw new Error('The worker ended before it took jobs');
}

/** The lines about jobs, shortened. */
function showLine(name: string, line: string): void {
  if (!line.includes('"msg":"job.')) return;
  const { msg, jobId, attempt, err } = JSON.parse(line) as Record<string, string> & { err?: { message: string } };
  const details = [attempt && `attempt ${attempt}`, err?.message].filter(Boolean).join(': ');
  console.log(`  worker ${name}: ${msg} ${jobId}${details && `, ${details}`}`);
}

async function withinTime(promise: Promise<void>): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<boolean>((resolve) => (timer = setTimeout(() => resolve(false), TIMEOUT_MS)));
  return Promise.race([promise.then(() => true), late]).finally(() => clearTimeout(timer));
}
