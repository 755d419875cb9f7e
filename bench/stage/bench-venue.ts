import { setTimeout as delay } from 'node:timers/promises';
import type pg from 'pg';
import { eventually } from '../../test/support/eventually.js';
import { asAdministrator } from '../../test/support/test-databases.js';
import { uniqueName } from '../../test/support/unique-name.js';
import { Cleanup } from '../../test/support/cleanup.js';
import type { Counted, Runner, Sample, Scale, Stage } from '../contest/contest.js';
import type { OpenStage, Venue } from '../contest/venue.js';
import { startCountingProxy, type CountingProxy } from '../counting/counting-proxy.js';
import { familySeconds, processorSeconds } from '../counting/processor-time.js';
import { openPool } from './connections.js';
import type { Servers } from './servers.js';

const ADMIN_CONNECTIONS = 4;
const END_TIMEOUT_MS = 5000;

/** A fresh database for each stage, on the servers of this run. */
export class BenchVenue implements Venue {
  constructor(
    private readonly servers: Servers,
    private readonly log: (line: string) => void,
  ) {}

  async open(scale: Scale, { counted }: { counted: boolean }): Promise<OpenStage> {
    const { postgres, rabbitmqUrl, redisUrl, dist } = this.servers;
    const straight = { ...postgres.connection, database: uniqueName('bench') };
    const { database } = straight;
    await asAdministrator(straight, (client) => client.query(`create database ${database} template template0`));
    const proxy = counted ? await startCountingProxy(straight) : undefined;
    const admin = openPool(straight, ADMIN_CONNECTIONS);
    // The database is dropped first: after an interruption, work that still uses it fails at once and frees the rest.
    const cleanup = new Cleanup();
    cleanup.add('the connections of the harness', () => endPool(admin));
    if (proxy) cleanup.add('the counting proxy', () => proxy.close());
    cleanup.add(`database ${database}`, () =>
      asAdministrator(straight, (client) => client.query(`drop database ${database} with (force)`)),
    );
    const stage: Stage = {
      database: proxy ? { ...straight, host: proxy.host, port: proxy.port } : straight,
      admin,
      // figures.ts lists the servers of each figure. A server that is used but not listed fails with this address.
      rabbitmqUrl: rabbitmqUrl ?? 'amqp://not-started.invalid',
      redisUrl: redisUrl ?? 'redis://not-started.invalid',
      dist,
      scale,
      log: this.log,
    };
    return {
      stage,
      settle: () => settle(admin),
      clear: async () => void (await admin.query('vacuum')),
      measure: (runner) => measure(runner, stage, postgres.postmasterPid),
      count: (runner) => count(runner, stage, proxy),
      async close() {
        const faults = await cleanup.run();
        if (faults.length > 0) throw new Error(faults.join('; '));
      },
    };
  }
}

/** Waits until all connections were returned, but not for ever. */
async function endPool(pool: pg.Pool): Promise<void> {
  const ended = new AbortController();
  const patience = delay(END_TIMEOUT_MS, undefined, ended).then(() =>
    Promise.reject(new Error('some are still in use')),
  );
  try {
    await Promise.race([pool.end(), patience]);
  } finally {
    ended.abort();
  }
}

async function settle(admin: pg.Pool): Promise<void> {
  const { rows } = await admin.query<{ name: string }>(
    `select format('%I.%I', schemaname, tablename) as name from pg_tables
     where schemaname not in ('pg_catalog', 'information_schema')`,
  );
  if (rows.length > 0) await admin.query(`analyze ${rows.map(({ name }) => name).join(', ')}`);
  await admin.query('checkpoint');
}

async function measure(runner: Runner, { admin, scale }: Stage, postmasterPid: number): Promise<Sample> {
  const walBefore = await walPosition(admin);
  const processes = [process.pid, ...runner.processes];
  const nodeBefore = await processorSeconds(processes);
  const postgresBefore = await familySeconds(postmasterPid);
  const startedAt = performance.now();
  const known = await runner.run();
  const seconds = known ?? (performance.now() - startedAt) / 1000;
  const nodeAfter = await processorSeconds(processes);
  const postgresAfter = await familySeconds(postmasterPid);
  const { rows } = await admin.query<{ bytes: number }>(
    'select pg_wal_lsn_diff(pg_current_wal_insert_lsn(), $1)::float8 as bytes',
    [walBefore],
  );
  return {
    seconds,
    operations: scale.operations,
    nodeCpuSeconds: difference(nodeAfter, nodeBefore),
    postgresCpuSeconds: difference(postgresAfter, postgresBefore),
    walBytes: rows[0]!.bytes,
  };
}

async function walPosition(admin: pg.Pool): Promise<string> {
  const { rows } = await admin.query<{ lsn: string }>('select pg_current_wal_insert_lsn()::text as lsn');
  return rows[0]!.lsn;
}

function difference(after: number | undefined, before: number | undefined): number | undefined {
  return after === undefined || before === undefined ? undefined : after - before;
}

async function count(runner: Runner, { scale }: Stage, proxy: CountingProxy | undefined): Promise<Counted | undefined> {
  if (proxy === undefined) throw new Error('This stage was opened without a counting proxy');
  proxy.reset(runner.isWork);
  await runner.run();
  // Another session sees a commit before its answer has passed the proxy.
  await eventually(() => {
    if (proxy.busy) throw new Error('Statements were still not answered');
  });
  if (proxy.connections === 0) return undefined;
  const counted = proxy.counted();
  if (counted.statements === 0) throw new Error('No statement passed the counting proxy');
  return { operations: scale.operations, ...counted };
}
