import pg from 'pg';
import { CONSUMER_TABLES, OPERATION_TABLES } from '../schema.sql.js';
import { BatchService } from './batch-service.js';
import { runByConsumers, type Run } from './by-consumers.js';
import { runByOperations } from './by-operations.js';
import { check } from './check.js';
import { Consumers } from './consumers.js';
import { Disturbances } from './disturbances.js';
import { Producer } from './producer.js';
import { RedisServer } from './redis-server.js';
import { drawRequests, type SeatRequest } from './requests.js';
import type { DatabaseSettings } from './settings.js';

export interface ShowOptions {
  database: DatabaseSettings;
  requests: number;
  seats: number;
  say: (line: string) => void;
}

/** One way of doing the work, and what came of it. */
export interface Act extends Run {
  name: string;
  /** Empty if all is as it must be. */
  faults: string[];
}

/** Events of their own, so that no run finds the rows of another. */
const WARM_UP = 1;
const UNDISTURBED = 2;
const DISTURBED = 3;
const WARM_UP_REQUESTS = 300;

/** Does the same work by consumers, by operations, and by consumers while processes are killed. */
export async function runShow(options: ShowOptions): Promise<Act[]> {
  const running: (() => Promise<unknown>)[] = [];
  const acts = await perform(options, (stop) => running.push(stop));
  // What started last is stopped first. After an error all are killed, by the end of this process.
  for (const stop of running.reverse()) await stop();
  return acts;
}

async function perform(options: ShowOptions, whenDone: (stop: () => Promise<unknown>) => void): Promise<Act[]> {
  const { database, requests: count, seats, say } = options;
  const pool = new pg.Pool({ ...database, max: 2 });
  whenDone(() => pool.end());
  await createTables(pool, seats);

  const redis = await RedisServer.start();
  whenDone(() => redis.stop());
  const producer = await Producer.start(database, redis.url);
  whenDone(() => producer.stop());
  const consumers = new Consumers(database, redis.url);
  whenDone(() => consumers.stop());
  const service = await BatchService.start(database);
  whenDone(() => service.stop());
  say(`  producer       ${producer.url}/reservation, Swagger at ${producer.url}/api`);
  say(`  Redis          ${redis.url}, writes to the disk before it answers`);
  say('');

  const judge = (name: string, requests: readonly SeatRequest[], run: Run): Act => {
    say(`  ${name}: ${(run.ms / 1000).toFixed(1)} s`);
    return { ...run, name, faults: check({ seats, requests, answers: run.answers }) };
  };
  // The first requests of a process are slow. They are not measured.
  const warmUp = drawRequests(Math.min(count, WARM_UP_REQUESTS));
  await runByConsumers(producer, WARM_UP, warmUp);
  await runByOperations(service, pool, WARM_UP, warmUp);

  const requests = drawRequests(count);
  const byConsumers = judge('consumers', requests, await runByConsumers(producer, UNDISTURBED, requests));
  const byOperations = judge('operations', requests, await runByOperations(service, pool, UNDISTURBED, requests));

  const others = drawRequests(count);
  const disturbances = new Disturbances(count, consumers, redis, say);
  const run = await runByConsumers(producer, DISTURBED, others, disturbances.onAccepted);
  await disturbances.done();
  return [byConsumers, byOperations, judge('consumers, with faults', others, run)];
}

async function createTables(pool: pg.Pool, seats: number): Promise<void> {
  await pool.query(CONSUMER_TABLES);
  await pool.query(OPERATION_TABLES);
  for (const table of ['events', 'events_by_order']) {
    await pool.query(`insert into ${table} (id, seats) select id, $1 from unnest($2::int[]) as id`, [
      seats,
      [WARM_UP, UNDISTURBED, DISTURBED],
    ]);
  }
}
