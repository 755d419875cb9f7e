/**
 * What three times the load that the service can bear does to it, for `npm run measure:overload -- [--seconds 60]`: an api and a
 * worker as processes of their own, half of the requests by REST and half by RPC over TCP, in an open loop. It promises to fail
 * unless refusals are explicit, memory stays within its bound, everything acknowledged is applied once, and all is as before ten
 * seconds later. The control, without limits, has to miss that.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import pg from 'pg';
import { freePort } from '../support/free-port.js';
import { startServiceProcess, type ServiceProcess } from '../support/service-process.js';
import { startPostgres } from '../support/services/postgres.js';
import {
  asAdministrator,
  clientOptions,
  databaseEnvironment,
  type DatabaseConnection,
} from '../support/test-databases.js';
import type { TestEnvironment } from '../support/test-settings.js';
import { uniqueName } from '../support/unique-name.js';
import { isTrue, truthOf } from './overload/ledger.js';
import { closedLoop, newTally, openLoop, overRest, overRpc, SCHEMA, sendOne, type Tally } from './overload/load.js';
import { quantile } from './measuring.js';
import { residentMb, watchMemory } from './overload/memory.js';

const { values: flags } = parseArgs({ options: { seconds: { type: 'string', default: '60' } } });
const SECONDS = Number(flags.seconds);
const OPERATIONS_PER_REQUEST = 100;
const TIMES = 3;
const CALIBRATION_MS = 8000;
/** The backlog that is worked off in so many seconds. */
const BACKLOG_SECONDS = 3;
const IN_FLIGHT_KB = 8192;
/** V8 takes what it may before it collects, so the heap is bounded; a process that needs more than that ends. */
const HEAP_MB = 256;
/** Program, young generation, and bytes outside of the heap. */
const BESIDE_HEAP_MB = 192;
const NORMAL_WITHIN_MS = 10_000;
const NORMAL_LAG_MS = 1000;
/** So much longer, at least, callers wait where nothing is refused for the backlog. */
const WAITS_LONGER = 1.5;
const DRAIN_TIMEOUT_MS = 300_000;

const say = (line: string): void => void process.stdout.write(`${line}\n`);

interface Stand {
  client: pg.Pool;
  start(limits: TestEnvironment): Promise<Running>;
  close(): Promise<void>;
}

interface Running {
  api: ServiceProcess;
  worker: ServiceProcess;
  rest: ReturnType<typeof overRest>;
  rpc: ReturnType<typeof overRpc>;
  stats(): Promise<{ pending: number; lagMs: number }>;
  stop(): Promise<void>;
}

interface Report {
  normal: boolean;
  bounded: boolean;
  /** Milliseconds within which 99 % were answered. */
  answeredMs: number;
  explicit: boolean;
  correct: boolean;
}

async function openStand(connection: DatabaseConnection): Promise<Stand> {
  await asAdministrator(connection, (admin) =>
    admin.query(`create database ${connection.database} template template0`),
  );
  const client = new pg.Pool({ ...clientOptions(connection), max: 3 });
  await client.query(SCHEMA);
  return {
    client,
    start: (limits) => startBoth(connection, limits),
    async close() {
      await client.end();
      await asAdministrator(connection, (admin) =>
        admin.query(`drop database if exists ${connection.database} with (force)`),
      );
    },
  };
}

async function startBoth(connection: DatabaseConnection, limits: TestEnvironment): Promise<Running> {
  const [httpPort, rpcPort] = [await freePort(), await freePort()];
  const environment: TestEnvironment = {
    ...databaseEnvironment(connection),
    LOG_LEVEL: 'fatal',
    HTTP_PORT: String(httpPort),
    BATCH_RPC_TCP_PORT: String(rpcPort),
    BATCH_PROCESS_OPERATION_INTERVAL: '100',
    ...limits,
  };
  const begin = async (role: 'api' | 'worker'): Promise<ServiceProcess> => {
    const started = await startServiceProcess({
      environment: { ...environment, BATCH_ROLE: role, LOG_LEVEL: 'info' },
      nodeOptions: [`--max-old-space-size=${HEAP_MB}`],
    });
    await started.up();
    return started;
  };
  const api = await begin('api');
  const worker = await begin('worker');
  const [rest, rpc] = [overRest(httpPort), overRpc(rpcPort)];
  return {
    api,
    worker,
    rest,
    rpc,
    async stats() {
      const response = await fetch(`http://127.0.0.1:${httpPort}/api/v1/stats`);
      return (await response.json()) as { pending: number; lagMs: number };
    },
    async stop() {
      rest.close();
      await rpc.close();
      for (const each of [api, worker]) each.signal('SIGTERM');
      await Promise.all([api.exited, worker.exited]);
    },
  };
}

/** Operations a second that the worker settles while as many come in as are answered. */
async function measureCapacity(stand: Stand): Promise<number> {
  const running = await stand.start({ BATCH_MAX_BACKLOG: '0' });
  try {
    const tally = newTally();
    await closedLoop(running.rest.send, 4, OPERATIONS_PER_REQUEST, 1000, tally);
    const settled = async (): Promise<number> =>
      (await stand.client.query<{ n: number }>('select coalesce(sum(operations), 0)::int as n from batch.chunks'))
        .rows[0]!.n;
    const [before, startedAt] = [await settled(), performance.now()];
    await Promise.all([
      closedLoop(running.rest.send, 8, OPERATIONS_PER_REQUEST, CALIBRATION_MS, tally),
      closedLoop(running.rpc.send, 8, OPERATIONS_PER_REQUEST, CALIBRATION_MS, tally),
    ]);
    const capacity = ((await settled()) - before) / ((performance.now() - startedAt) / 1000);
    await drained(running);
    return capacity;
  } finally {
    await running.stop();
  }
}

async function drained(running: Running): Promise<void> {
  const until = performance.now() + DRAIN_TIMEOUT_MS;
  while ((await running.stats()).pending > 0) {
    if (performance.now() > until) throw new Error('The backlog was not worked off');
    await delay(200);
  }
}

async function overload(stand: Stand, capacity: number, limits: TestEnvironment): Promise<Report> {
  await stand.client.query(
    'truncate batch.operations, batch.pending, batch.delayed, batch.chunks, batch.outcomes, ledger; update counters set n = 0',
  );
  const running = await stand.start(limits);
  try {
    const warmUp = newTally();
    await closedLoop(running.rest.send, 2, OPERATIONS_PER_REQUEST, 2000, warmUp);
    await closedLoop(running.rpc.send, 2, OPERATIONS_PER_REQUEST, 2000, warmUp);
    await drained(running);
    const pids = [running.api.child.pid!, running.worker.child.pid!] as const;
    const base = await Promise.all(pids.map(residentMb));
    const watches = pids.map(watchMemory);
    const tally = newTally();
    await openLoop(
      [running.rest.send, running.rpc.send],
      capacity * TIMES,
      OPERATIONS_PER_REQUEST,
      SECONDS * 1000,
      tally,
    );
    const most = await Promise.all(watches.map((watch) => watch.stop()));
    const normalAfterMs = await timeToNormal(running);
    await drained(running);
    const truth = await truthOf(stand.client, [...warmUp.acknowledged, ...tally.acknowledged]);
    sayTally(tally);
    const bound = HEAP_MB + BESIDE_HEAP_MB;
    ['api', 'worker'].forEach((name, n) => {
      say(`  memory of the ${name}: ${mb(base[n]!)} before, ${mb(most[n]!)} at most, bound ${mb(bound)}`);
    });
    say(
      `  lag and intake normal ${normalAfterMs === undefined ? 'not' : `${(normalAfterMs / 1000).toFixed(1)} s`} after the load`,
    );
    say(
      `  lost ${truth.lost}, failed ${truth.failed}; stored/applied: inserts ${pair(truth.inserts)}, increments ${pair(truth.increments)}`,
    );
    const refused = [...tally.refusedByCode.keys()];
    return {
      normal: normalAfterMs !== undefined,
      bounded: most.every((mebibytes) => mebibytes <= bound),
      answeredMs: Math.round(quantile(tally.answerMs, 0.99)),
      explicit:
        refused.length > 0 &&
        refused.every((code) => ['QUEUE_FULL', 'OVERLOADED'].includes(code)) &&
        tally.silent === 0 &&
        tally.unanswered.size === 0,
      correct: isTrue(truth),
    };
  } finally {
    await running.stop();
  }
}

/** Milliseconds until little waits and a new request is taken at once; undefined after ten seconds. */
async function timeToNormal(running: Running): Promise<number | undefined> {
  const startedAt = performance.now();
  while (performance.now() - startedAt < NORMAL_WITHIN_MS) {
    const probe = newTally();
    await sendOne(running.rest.send, 1, probe);
    const { lagMs } = await running.stats();
    if (probe.acknowledged.length === 1 && lagMs < NORMAL_LAG_MS) return performance.now() - startedAt;
    await delay(100);
  }
  return undefined;
}

const mb = (mebibytes: number): string => `${Math.round(mebibytes)} MiB`;
const pair = ({ stored, applied }: { stored: number; applied: number }): string => `${stored}/${applied}`;

function sayTally({ offered, acknowledged, refusedByCode, silent, unanswered, heldBack, answerMs }: Tally): void {
  const sorted = [...answerMs].sort((a, b) => a - b);
  const at = (share: number): string => `${Math.round(sorted[Math.floor(share * (sorted.length - 1))] ?? 0)} ms`;
  const silentlyLost = [...unanswered].map(([reason, count]) => `${count} operations (${reason})`).join(', ') || 'none';
  const refused = [...refusedByCode].map(([code, count]) => `${code} ${count}`).join(', ') || 'none';
  say(`  offered ${offered} operations (${Math.round(offered / SECONDS)}/s), ${heldBack} requests not sent`);
  say(`  acknowledged ${acknowledged.length} (${Math.round(acknowledged.length / SECONDS)}/s); refused: ${refused}`);
  say(`  refusals that do not say when to come back: ${silent}; without an answer: ${silentlyLost}`);
  say(`  answers after ${at(0.5)} (median), ${at(0.99)} (99 %), ${at(1)} at most`);
}

async function main(): Promise<void> {
  const postgres = await startPostgres(process.env, say);
  const stand = await openStand({ ...postgres.connection, database: uniqueName('overload') });
  try {
    const capacity = await measureCapacity(stand);
    const backlog = Math.round(capacity * BACKLOG_SECONDS);
    say(`Capacity: ${Math.round(capacity)} operations a second, ${OPERATIONS_PER_REQUEST} a request`);
    say(
      `\nWith limits (BATCH_MAX_BACKLOG=${backlog}, BATCH_MAX_IN_FLIGHT_KB=${IN_FLIGHT_KB}), ${TIMES} times that for ${SECONDS} s`,
    );
    const limited = await overload(stand, capacity, {
      BATCH_MAX_BACKLOG: String(backlog),
      BATCH_MAX_IN_FLIGHT_KB: String(IN_FLIGHT_KB),
    });
    say('\nControl: without limits');
    const unlimited = await overload(stand, capacity, {
      BATCH_MAX_BACKLOG: '0',
      BATCH_MAX_IN_FLIGHT_KB: '16777216',
    }).catch((error: Error) => {
      say(`  it did not live through it: ${error.message}`);
      return undefined;
    });
    const { normal, bounded, explicit, correct } = limited;
    const held = normal && bounded && explicit && correct;
    const missed =
      unlimited === undefined ||
      !unlimited.normal ||
      !unlimited.bounded ||
      !unlimited.explicit ||
      unlimited.answeredMs > WAITS_LONGER * limited.answeredMs;
    say(`\nWith limits: ${JSON.stringify(limited)}\nControl:     ${JSON.stringify(unlimited ?? 'ended')}`);
    say(held && missed ? 'Overload is refused, not suffered' : 'FAILED');
    process.exitCode = held && missed ? 0 : 1;
  } finally {
    await stand.close();
    await postgres.stop();
  }
}

await main();
