/**
 * What 1, 2 and 4 worker processes make of the same queue, for `npm run measure:workers`: of one lane, of four lanes, and of four
 * lanes in which the database takes its time for each chunk, so that it shows whether lanes run in parallel whatever the number of
 * cores. Interleaved; medians with minimum and maximum.
 */
import { LANE_LOCK } from '../../src/entities/lane-lock.js';
import { setTimeout as delay } from 'node:timers/promises';
import { startServiceProcess } from '../support/service-process.js';
import { newOperation, openWorkerWith } from '../support/worker.js';
import { judge, median, numberOption, say, withMeasuringDatabase, type MeasuringDatabase } from './measuring.js';

const OPERATIONS = numberOption('operations', 40_000);
const REPETITIONS = numberOption('repetitions', 3);
const WORKERS = [1, 2, 4];

const TABLES = ['t1', 't2', 't3', 't4'];
const slowOf = (table: string): string => `slow_${table}`;
const DDL = TABLES.flatMap((table) => [
  `create table ${table} (id int primary key, a text, b int, c numeric)`,
  // A chunk of 250 rows takes as long as that, for no work of this machine: every fourth number is a lane's.
  `create table ${slowOf(table)} (id int primary key check ((id - 1) / 4 % 250 <> 0 or pg_sleep(0.2) is not null))`,
]).join('; ');

interface Load {
  name: string;
  tables: readonly string[];
  operations: number;
  /** Of a chunk. */
  limit: number;
  values: (id: number) => object;
}

const wide = (id: number): object => ({ id, a: `row ${id}`, b: id, c: `${id}.5` });

const LOADS: readonly Load[] = [
  { name: 'one lane', tables: TABLES.slice(0, 1), operations: OPERATIONS, limit: 1000, values: wide },
  { name: 'four lanes', tables: TABLES, operations: OPERATIONS, limit: 1000, values: wide },
  {
    name: 'four lanes, slow',
    tables: TABLES.map(slowOf),
    operations: 24_000,
    limit: 250,
    values: (id) => ({ id }),
  },
];

/** Operations in a second, from the moment when the lanes are let go to the last commit. */
async function drain(database: MeasuringDatabase, load: Load, workers: number): Promise<number> {
  const { client } = database;
  await client.query(
    `truncate ${[...TABLES, ...TABLES.map(slowOf)].join(', ')}, batch.operations, batch.pending, batch.chunks, batch.workers`,
  );
  const environment = database.environment({
    BATCH_ROLE: 'worker',
    BATCH_PROCESS_OPERATION_LIMIT: String(load.limit),
    BATCH_PROCESS_OPERATION_INTERVAL: '100',
  });
  const processes = await Promise.all(
    Array.from({ length: workers }, () => startServiceProcess({ environment, args: ['worker'] })),
  );
  const holder = await client.connect();
  try {
    await Promise.all(processes.map((process) => process.up()));
    await holder.query(`select pg_advisory_lock(${LANE_LOCK}, lane) from generate_series(0, 63) lane`);
    await fill(database, load);
    const letGoAt = new Date();
    await holder.query('select pg_advisory_unlock_all()');
    while (((await client.query('select 1 from batch.pending limit 1')).rowCount ?? 0) > 0) await delay(10);
    const { rows } = await client.query<{ applied: number; endedAt: Date }>(
      'select sum(completed)::int as applied, max(settled_at) as "endedAt" from batch.chunks',
    );
    const { applied, endedAt } = rows[0]!;
    if (applied !== load.operations) throw new Error(`${applied} operations were applied, not ${load.operations}`);
    return (applied * 1000) / (endedAt.getTime() - letGoAt.getTime());
  } finally {
    holder.release(true);
    await Promise.all(processes.map((process) => process.end()));
  }
}

async function fill(database: MeasuringDatabase, { tables, operations, values }: Load): Promise<void> {
  const filler = await openWorkerWith(database.settings());
  const all = Array.from({ length: operations }, (_, index) =>
    newOperation({
      type: 'insert',
      target: `public.${tables[index % tables.length]}`,
      values: JSON.stringify(values(index + 1)),
    }),
  );
  for (let at = 0; at < all.length; at += 5000) await filler.queue.enqueue(all.slice(at, at + 5000));
  await filler.close();
}

async function main(database: MeasuringDatabase): Promise<void> {
  const figures = new Map<string, number[]>();
  for (let repetition = 0; repetition < REPETITIONS; repetition += 1) {
    for (const load of LOADS) {
      for (const workers of WORKERS) {
        const key = `${load.name}, ${workers}`;
        figures.set(key, [...(figures.get(key) ?? []), await drain(database, load, workers)]);
      }
    }
  }
  say('\nload               workers   operations/s, median (min–max)     × one worker');
  for (const { name } of LOADS) {
    const alone = median(figures.get(`${name}, 1`)!);
    for (const workers of WORKERS) {
      const rates = figures.get(`${name}, ${workers}`)!;
      const range = `${Math.round(median(rates))} (${Math.round(Math.min(...rates))}–${Math.round(Math.max(...rates))})`;
      const ratio = median(rates) / alone;
      say(`${name.padEnd(18)} ${String(workers).padEnd(9)} ${range.padEnd(34)} ${ratio.toFixed(2)}`);
      if (name === 'one lane')
        judge(`${workers} workers on one lane are no slower than one (0.9, for noise)`, ratio >= 0.9);
      if (name === 'four lanes, slow')
        judge(`lanes run in parallel: at least 0.8 of ${workers} times`, ratio >= 0.8 * workers);
    }
  }
}

await withMeasuringDatabase('workers', DDL, main);
