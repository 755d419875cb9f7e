import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type pg from 'pg';
import { watchMemory } from '../measure/overload/memory.js';
import { freePort } from '../support/free-port.js';
import { startServiceProcess, type ServiceProcess } from '../support/service-process.js';
import { databaseEnvironment, onDatabase, type DatabaseConnection } from '../support/test-databases.js';
import type { TestEnvironment } from '../support/test-settings.js';
import { uniqueName } from '../support/unique-name.js';
import { createTestKey, KEYS_REQUIRED } from '../support/api-keys.js';
import type { AttackerOrder, AttackerReport } from './attacker.js';
import { honestCallers, type HonestAddresses, type HonestTally } from './honest-callers.js';
import { judgeHostile, type Claim } from './judge-hostile.js';
import { probeHealth } from './probe-health.js';
import { CREATE_TABLES } from './tables.sql.js';

export interface HostileOptions {
  seed: number;
  /** How long the attack lasts. */
  seconds: number;
  quietSeconds: number;
  /** Empty databases: one for the api and the worker, one for the process with every role. */
  databases: readonly [DatabaseConnection, DatabaseConnection];
  rpcUrl: string;
  /** The compiled service. Default: `dist`. */
  dist?: string;
  say: (line: string) => void;
}

/** A process that needs more ends. */
const HEAP_MB = 512;
const WARM_UP_MS = 3000;
/** Afterwards: what honest callers handed over is done, whatever else waits. */
const COMPLETED_WITHIN_MS = 60_000;

interface Stage {
  processes: Record<string, ServiceProcess>;
  healthUrls: Record<string, string>;
  /** The honest callers and the attacker have API keys of their own. */
  honest: HonestAddresses;
  order: AttackerOrder;
}

/**
 * Attacks a whole service by every way in while honest callers use it: an api and a worker with RabbitMQ, and one process with every role
 * over REST, each with a database of its own. It promises that the callers, the attacker and the service are processes of their own.
 */
export async function runHostile(options: HostileOptions): Promise<Claim[]> {
  const { databases, seconds, quietSeconds, say } = options;
  for (const database of databases) await onDatabase(database, (client) => client.query(CREATE_TABLES));
  const stage = await startService(options);
  const callers = honestCallers(stage.honest);
  const attacker = fork(join(import.meta.dirname, 'attacker.ts'), { execArgv: ['--import', 'tsx'] });
  try {
    attacker.send(stage.order);
    await messageOf(attacker);
    await callers.during(WARM_UP_MS);
    const quiet = await callers.during(quietSeconds * 1000);
    say(`Quiet for ${quietSeconds} s; now ${seconds} s of attacks, seed ${options.seed}`);

    const pids = Object.entries(stage.processes).map(([name, { child }]) => [name, child.pid!] as const);
    const memory = pids.map(([name, pid]) => [name, watchMemory(pid)] as const);
    const probes = Object.entries(stage.healthUrls).map(([name, url]) => [name, probeHealth(url)] as const);
    attacker.send('begin');
    const attacked = await callers.during(seconds * 1000);
    const liveMs = Object.fromEntries(
      await Promise.all(probes.map(async ([name, probe]) => [name, await probe.stop()] as const)),
    );
    attacker.send('stop');
    const attacks = (await messageOf(attacker)) as AttackerReport;
    const memoryMb = Object.fromEntries(
      await Promise.all(memory.map(async ([name, watch]) => [name, await watch.stop()] as const)),
    );
    const tallies = [...Object.values(quiet), ...Object.values(attacked)];
    const notCompleted = await countNotCompleted(databases, tallies);
    return judgeHostile({ liveMs, ended: endedOf(stage), quiet, attacked, memoryMb, notCompleted, attacks });
  } finally {
    attacker.kill('SIGKILL');
    await callers.close();
    await Promise.all(Object.values(stage.processes).map((process) => process.end()));
  }
}

async function startService({ seed, databases, rpcUrl, dist }: HostileOptions): Promise<Stage> {
  const [apiPort, workerPort, allPort, rpcPort] = await Promise.all([freePort(), freePort(), freePort(), freePort()]);
  const queue = uniqueName('hostile');
  const [withBroker, withoutBroker] = databases.map((database): TestEnvironment => ({
    NODE_ENV: 'test',
    LOG_LEVEL: 'info',
    ...KEYS_REQUIRED,
    ...databaseEnvironment(database),
  }));
  const broker = { ...withBroker, BATCH_SERVICE_RMQ_URL: rpcUrl, BATCH_SERVICE_RMQ_QUEUE: queue };
  const environments: Record<string, TestEnvironment> = {
    api: { ...broker, BATCH_ROLE: 'api', HTTP_PORT: String(apiPort) },
    worker: { ...broker, BATCH_ROLE: 'worker', BATCH_WORKER_HEALTH_PORT: String(workerPort) },
    'api and worker in one': {
      ...withoutBroker,
      ...{ BATCH_ROLE: 'all', HTTP_PORT: String(allPort), BATCH_RPC_TCP_PORT: String(rpcPort) },
    },
  };
  const processes: Record<string, ServiceProcess> = {};
  for (const [name, environment] of Object.entries(environments)) {
    const nodeOptions = [`--max-old-space-size=${HEAP_MB}`];
    processes[name] = await startServiceProcess({ environment, nodeOptions, ...(dist !== undefined && { dist }) });
    await processes[name].up();
  }
  const url = (port: number): string => `http://127.0.0.1:${port}`;
  const addresses = { restUrl: url(apiPort), allUrl: url(allPort), rpcUrl, queue };
  const [honestKeys, hostileKeys] = [await keysFor(databases), await keysFor(databases)];
  return {
    processes,
    healthUrls: { api: url(apiPort), worker: url(workerPort), 'api and worker in one': url(allPort) },
    honest: { ...addresses, ...honestKeys },
    order: { seed, ...addresses, ...hostileKeys },
  };
}

async function keysFor(databases: HostileOptions['databases']): Promise<{ restKey: string; allKey: string }> {
  const [restKey, allKey] = await Promise.all(
    databases.map((database) => onDatabase(database, (client) => createTestKey(client, ['read', 'write']))),
  );
  return { restKey: restKey!, allKey: allKey! };
}

/** Nobody stops a process before this is asked. */
function endedOf({ processes }: Stage): string[] {
  return Object.entries(processes).flatMap(([name, { child, output }]) => {
    if (child.exitCode === null && child.signalCode === null) return [];
    return [`${name} ended with ${child.exitCode ?? child.signalCode}: ${output.slice(-2000)}`];
  });
}

async function countNotCompleted(
  databases: readonly DatabaseConnection[],
  tallies: readonly HonestTally[],
): Promise<number> {
  const accepted = new Set(tallies.flatMap((tally) => tally.accepted));
  const until = performance.now() + COMPLETED_WITHIN_MS;
  for (;;) {
    for (const database of databases) {
      for (const id of await onDatabase(database, completedIds)) accepted.delete(id);
    }
    if (accepted.size === 0 || performance.now() > until) return accepted.size;
    await delay(1000);
  }
}

async function completedIds(client: pg.Client): Promise<string[]> {
  const { rows } = await client.query<{ id: string }>(
    "select id from batch.batch_operations where source = 'honest' and status = 'completed'",
  );
  return rows.map(({ id }) => id);
}

/** What the attacker says next. Rejects when it ends without a word. */
async function messageOf(attacker: ChildProcess): Promise<unknown> {
  const ended = once(attacker, 'exit').then(([code]) => {
    throw new Error(`The attacker ended with ${code}`);
  });
  ended.catch(() => undefined);
  const [message] = (await Promise.race([once(attacker, 'message'), ended])) as [unknown];
  return message;
}
