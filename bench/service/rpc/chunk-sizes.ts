import { median } from '../../../test/measure/statistics.js';
import type { Stage, StudyResult } from '../../contest/contest.js';
import { makeItemTable, type ItemTable } from '../../rows/item-table.js';
import { insertsInto } from '../apply.js';
import { openDrain, type Drain } from '../drain.js';

const LIMITS = [100, 300, 1000, 3000, 10_000];
const QUICK_LIMITS = [1000];
/** Fewer chunks have no median. */
const LEAST_CHUNKS = 3;

interface DrainTimes {
  /** Operations a second, from the begin of the first chunk until the last is settled. */
  rate: number;
  /** Of a chunk, in milliseconds. */
  durationMs: number;
}

/** What a larger chunk gains in throughput, and what it costs the operation that is the first in it: a filled queue is drained. */
export async function compareChunkSizes(stage: Stage): Promise<StudyResult> {
  const { scale } = stage;
  const limits = scale.quick ? QUICK_LIMITS : LIMITS;
  const operations = Math.max(scale.operations, scale.quick ? 0 : LEAST_CHUNKS * Math.max(...limits));
  const table = await makeItemTable(stage.admin, operations);
  const results: { limit: number; drains: DrainTimes[] }[] = [];
  // One after the other: two workers on one queue would share it.
  for (const limit of limits) results.push({ limit, drains: await drainWith(stage, table, limit) });
  return {
    readings: results.flatMap(({ limit, drains }) => [
      { name: `drain rate, LIMIT ${limit}`, unit: 'operations/s', values: drains.map(({ rate }) => rate) },
      { name: `chunk duration, LIMIT ${limit}`, unit: 'ms', values: drains.map(({ durationMs }) => durationMs) },
    ]),
    series: [
      {
        name: 'chunk size',
        points: results.map(({ limit, drains }) => ({
          limit,
          rate: median(drains.map(({ rate }) => rate)),
          durationMs: median(drains.map(({ durationMs }) => durationMs)),
        })),
      },
    ],
  };
}

/** The first drain does not count. */
async function drainWith(stage: Stage, table: ItemTable, limit: number): Promise<DrainTimes[]> {
  const drain = await openDrain(stage, insertsInto(table), { BATCH_PROCESS_OPERATION_LIMIT: String(limit) });
  try {
    const times: DrainTimes[] = [];
    for (let repetition = 0; repetition <= stage.scale.repetitions; repetition += 1) {
      times.push(await drainOnce(stage, drain));
    }
    return times.slice(1);
  } finally {
    await drain.close();
  }
}

async function drainOnce({ admin }: Stage, drain: Drain): Promise<DrainTimes> {
  await drain.prepare();
  await admin.query('analyze batch.pending, batch.operations, item');
  await admin.query('checkpoint');
  const seconds = await drain.run();
  await drain.verify();
  const { rows } = await admin.query<{ operations: number; durationMs: number }>(
    `select sum(operations)::int as operations,
       percentile_cont(0.5) within group (order by extract(epoch from settled_at - started_at)::float8) * 1000 as "durationMs"
     from batch.chunks`,
  );
  const { operations, durationMs } = rows[0]!;
  return { rate: operations / seconds, durationMs };
}
