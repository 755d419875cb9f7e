/**
 * How long a small caller waits beside a flood, for `npm run measure:fairness -- [--seconds=10] [--rounds=3]`. The small caller
 * sends an operation at a time by RPC over RabbitMQ and waits for its notification. The flood sends lists over REST as fast as
 * they are answered. Each writes to a table of its own. That of the flood has
 * indexes, as a table that is worth an import has, so that a backlog grows. With and without the flood in turns; api and worker as processes of
 * their own; the same with a pool of connections that is too small for the second job of a worker, as the control; and one
 * process of both roles. It fails when the p99 beside the flood is more than 3 × the quiet one for api and worker, and when the flood
 * was refused: then the ratio says nothing.
 */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { constants, setPriority } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import { connect, type ChannelModel, type ConsumeMessage } from 'amqplib';
import { v7 as uuid } from 'uuid';
import { BatchServiceClient } from '../../src/client/index.js';
import {
  EVENTS_EXCHANGE,
  settledRoutingKey,
  type IOperationsSettledMessage,
} from '../../src/interfaces/settled-event.js';
import { freePort } from '../support/free-port.js';
import { startServiceProcess, type ServiceProcess } from '../support/service-process.js';
import { startRabbitmq } from '../support/services/rabbitmq.js';
import { startRedis } from '../support/services/redis.js';
import type { TestEnvironment } from '../support/test-settings.js';
import { uniqueName } from '../support/unique-name.js';
import {
  judge,
  median,
  numberOption,
  quantile,
  say,
  withMeasuringDatabase,
  type MeasuringDatabase,
} from './measuring.js';

const SECONDS = numberOption('seconds', 10);
const ROUNDS = numberOption('rounds', 3);
/** Tells where the time went, after each part. */
const SHOW = process.argv.includes('--phases');
const FLOOD_LOOPS = 4;
const FLOOD_LIST = 500;
/** Operations a second. */
const LEAST_FLOOD = 1000;
const EVERY_MS = 25;
const TARGET = 3;

const DDL = `
  create table small (id uuid primary key, n int);
  create table flood (id uuid primary key, a text unique, b int, c numeric);
  create index on flood (b, a);
  create index on flood (c, b);
  create index on flood using gin (to_tsvector('simple', a))`;

interface Call {
  id: string;
  /** Milliseconds since 1970. */
  at: number;
}

interface Stand {
  database: MeasuringDatabase;
  client: BatchServiceClient;
  port: number;
  settledAt: Map<string, number>;
}

/** Milliseconds from the call to the notification, one for each operation. */
async function callSingly({ client, settledAt, database }: Stand): Promise<number[]> {
  const calls: Call[] = [];
  const until = Date.now() + SECONDS * 1000;
  const sent: Promise<unknown>[] = [];
  while (Date.now() < until) {
    const id = uuid();
    calls.push({ id, at: Date.now() });
    sent.push(client.createOperation({ id, operationType: 'insert', target: 'small', values: { id, n: 1 } }));
    await delay(EVERY_MS * (0.5 + Math.random()));
  }
  await Promise.all(sent);
  while (calls.some(({ id }) => !settledAt.has(id))) await delay(20);
  if (SHOW) await sayPhases(database, calls, settledAt);
  return calls.map(({ id, at }) => settledAt.get(id)! - at);
}

async function withFlood<T>({ port }: Stand, work: () => Promise<T>): Promise<{ result: T; perSecond: number }> {
  const child = fork(import.meta.filename, [`--flood=${port}`], { execArgv: ['--import', 'tsx'] });
  // An importer has a machine of its own. So it gets what the service, its database and the broker leave of this one.
  setPriority(child.pid!, constants.priority.PRIORITY_LOW);
  const startedAt = performance.now();
  let sent = 0;
  child.on('message', (count: number) => (sent += count));
  // Until a backlog is there.
  await delay(1500);
  const result = await work();
  child.kill('SIGTERM');
  await once(child, 'exit');
  return { result, perSecond: (sent * 1000) / (performance.now() - startedAt) };
}

/** In a process of its own, so that it does not delay the clock of the small caller. */
async function flood(port: number): Promise<void> {
  const loop = async (): Promise<void> => {
    for (;;) {
      const operations = Array.from({ length: FLOOD_LIST }, (_, b) => ({
        operationType: 'insert',
        target: 'flood',
        source: 'importer',
        values: { id: uuid(), a: `the row ${uuid()} of the import`, b, c: `${b}.5` },
      }));
      const response = await fetch(`http://127.0.0.1:${port}/api/v1/operations/bulk`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ operations }),
      });
      await response.text();
      if (response.ok) process.send!(FLOOD_LIST);
      else await delay(20);
    }
  };
  await Promise.all(Array.from({ length: FLOOD_LOOPS }, loop));
}

/** Receives the notifications of the small caller only. */
async function listen(url: string, settledAt: Map<string, number>): Promise<ChannelModel> {
  const connection = await connect(url);
  const channel = await connection.createChannel();
  const { queue } = await channel.assertQueue('', { exclusive: true });
  await channel.bindQueue(queue, EVENTS_EXCHANGE, settledRoutingKey('small'));
  const note = (message: ConsumeMessage | null): void => {
    const { data } = JSON.parse(message!.content.toString()) as IOperationsSettledMessage;
    const now = Date.now();
    for (const id of data.completed) settledAt.set(id, now);
  };
  await channel.consume(queue, note, { noAck: true });
  return connection;
}

/** Where the time of the latest operations of the small caller went: p50 and p99 in milliseconds. */
async function sayPhases(
  { client }: MeasuringDatabase,
  calls: readonly Call[],
  settledAt: Map<string, number>,
): Promise<void> {
  const { rows } = await client.query<Record<'id' | 'created' | 'started' | 'settled' | 'notified', string>>(
    `select o.id, extract(epoch from o.created_at) * 1000 as created, extract(epoch from c.started_at) * 1000 as started,
       extract(epoch from c.settled_at) * 1000 as settled, extract(epoch from c.notified_at) * 1000 as notified
     from batch.operations o join batch.chunks c on c.seqs @> o.seq where o.id = any($1::uuid[])`,
    [calls.map(({ id }) => id)],
  );
  const at = new Map(calls.map((call) => [call.id, call.at]));
  const times: Record<string, number[]> = {
    'sent to stored': rows.map((row) => Number(row.created) - at.get(row.id)!),
    'stored to claimed': rows.map((row) => Number(row.started) - Number(row.created)),
    'claimed to settled': rows.map((row) => Number(row.settled) - Number(row.started)),
    'settled to received': rows.map((row) => settledAt.get(row.id)! - Number(row.settled)),
  };
  for (const [name, each] of Object.entries(times))
    say(`    ${name}: ${Math.round(quantile(each, 0.5))}, ${Math.round(quantile(each, 0.99))}`);
}

async function drained(database: MeasuringDatabase): Promise<void> {
  while (((await database.client.query('select 1 from batch.pending limit 1')).rowCount ?? 0) > 0) await delay(100);
  await delay(500);
}

interface Setup {
  name: string;
  roles: readonly string[];
  settings: TestEnvironment;
  judged: boolean;
}

const SETUPS: readonly Setup[] = [
  { name: 'api and worker', roles: ['api', 'worker'], settings: {}, judged: true },
  { name: 'api and worker, no second job', roles: ['api', 'worker'], settings: { DB_POOL_SIZE: '5' }, judged: false },
  { name: 'one process', roles: ['all'], settings: {}, judged: false },
];

async function measure(
  database: MeasuringDatabase,
  { name, roles, settings, judged }: Setup,
  urls: TestEnvironment,
): Promise<void> {
  const queue = uniqueName('fairness');
  const port = await freePort();
  const processes: ServiceProcess[] = [];
  for (const role of roles) {
    const started = await startServiceProcess({
      environment: database.environment({
        ...urls,
        ...settings,
        BATCH_ROLE: role,
        BATCH_SERVICE_RMQ_QUEUE: queue,
        HTTP_HOST: '127.0.0.1',
        HTTP_PORT: String(role === 'worker' ? await freePort() : port),
      }),
    });
    processes.push(started);
    await started.up();
  }
  const url = urls.BATCH_SERVICE_RMQ_URL!;
  const client = new BatchServiceClient({ transport: 'rmq', url, queue, source: 'small', timeoutMs: 60_000 });
  const settledAt = new Map<string, number>();
  const listener = await listen(url, settledAt);
  const stand: Stand = { database, client, port, settledAt };
  const quiet: number[][] = [];
  const beside: number[][] = [];
  const rates: number[] = [];
  try {
    // Processes that have just started are slower.
    await callSingly(stand);
    await withFlood(stand, () => callSingly(stand));
    await drained(database);
    for (let round = 0; round < ROUNDS; round += 1) {
      quiet.push(await callSingly(stand));
      const { result, perSecond } = await withFlood(stand, () => callSingly(stand));
      beside.push(result);
      rates.push(perSecond);
      await drained(database);
    }
  } finally {
    await client.close();
    await listener.close();
    for (const process of processes) process.signal('SIGTERM');
    await Promise.all(processes.map(({ exited }) => exited));
  }
  const show = (times: number[][], p: number): string =>
    `${Math.round(median(times.map((each) => quantile(each, p))))} (${times.map((each) => Math.round(quantile(each, p))).join(', ')})`;
  say(`${name}: flood ${rates.map(Math.round).join(', ')} operations/s taken in`);
  for (const p of [0.5, 0.9, 0.99])
    say(`  p${p * 100}, ms: quiet ${show(quiet, p)}; beside the flood ${show(beside, p)}`);
  const ratios = quiet.map((each, round) => quantile(beside[round]!, 0.99) / quantile(each, 0.99));
  const ratio = median(ratios);
  const all = ratios.map((each) => each.toFixed(1)).join(', ');
  say(`  p99 beside the flood: ${ratio.toFixed(1)} × quiet (${all})`);
  // A flood that is refused delays nobody.
  judge(`${name}: at least ${LEAST_FLOOD} operations/s of the flood are taken in`, Math.min(...rates) >= LEAST_FLOOD);
  if (judged) judge(`${name}: p99 beside the flood is at most ${TARGET} × quiet`, ratio <= TARGET);
}

const floodPort = process.argv.find((argument) => argument.startsWith('--flood='));
if (floodPort !== undefined) await flood(Number(floodPort.slice('--flood='.length)));
else {
  const rabbitmq = await startRabbitmq(process.env, say);
  const redis = await startRedis(process.env, say);
  try {
    const urls = { BATCH_SERVICE_RMQ_URL: rabbitmq.connection.url, REDIS_URL: redis.connection.url };
    for (const setup of SETUPS)
      await withMeasuringDatabase('fairness', DDL, (database) => measure(database, setup, urls));
  } finally {
    await redis.stop();
    await rabbitmq.stop();
  }
}
