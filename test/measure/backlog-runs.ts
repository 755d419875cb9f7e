import { LANE_LOCK } from '../../src/entities/lane-lock.js';
import { setTimeout as delay } from 'node:timers/promises';
import { v7 as uuid } from 'uuid';
import { freePort } from '../support/free-port.js';
import { startServiceProcess } from '../support/service-process.js';
import { newOperation, openWorkerWith } from '../support/worker.js';
import type { MeasuringDatabase } from './measuring.js';

export const BACKLOG_DDL = 'create table item (id int primary key, a text, b int, c numeric)';

const CHUNK = 1000;
const ASKED_PER_SECOND = 100;

export interface BacklogScale {
  /** Operations that wait in the small queue, a multiple of a chunk; as many make a window. */
  small: number;
  /** Operations that wait, at least, in the large one. */
  large: number;
  /** Windows that are measured. */
  windows: number;
  /** Windows before those: a process that has just started is slower. */
  warmUp: number;
  /** The compiled service; default: compiled for this run. */
  dist?: string;
}

export interface BacklogResult {
  /** Operations a second, one for each window. */
  small: number[];
  large: number[];
  /** How long `getOperation` took while the large queue was drained, in milliseconds. */
  getOperationMs: number[];
}

/** How fast chunks are applied from a small queue and from a large one. Worker and API are processes of their own. */
export async function measureBacklog(
  database: MeasuringDatabase,
  scale: BacklogScale,
  log: (line: string) => void,
): Promise<BacklogResult> {
  const filler = new Filler(database);
  const port = await freePort();
  const api = await startServiceProcess({
    environment: database.environment({
      BATCH_ROLE: 'api',
      HTTP_PORT: String(port),
      BATCH_RPC_TCP_PORT: String(await freePort()),
      BATCH_MAX_BACKLOG: '0',
    }),
    args: ['api'],
    dist: scale.dist,
  });
  try {
    await api.up();
    const small = await rates(database, scale, async () => {
      if ((await pending(database)) === 0) await whileWorkersWait(database, () => filler.add(scale.small));
    });
    log(`Filling the queue with ${scale.large} operations`);
    await fillFor(database, filler, scale);
    const large = await rates(database, scale, () => Promise.resolve());
    await fillFor(database, filler, scale);
    const asking = new AbortController();
    const [getOperationMs] = await Promise.all([
      ask(`http://127.0.0.1:${port}`, filler.ids, asking.signal),
      rates(database, scale, () => Promise.resolve()).finally(() => asking.abort()),
    ]);
    return { small, large, getOperationMs };
  } finally {
    await api.end();
  }
}

/** So many that the large queue is still there after the last window. No worker runs meanwhile. */
async function fillFor(database: MeasuringDatabase, filler: Filler, scale: BacklogScale): Promise<void> {
  const { small, large, windows, warmUp } = scale;
  await filler.add(large + (warmUp + windows) * small - (await pending(database)));
  await database.client.query('analyze batch.pending');
}

class Filler {
  private next = 0;
  readonly ids: string[] = [];

  constructor(private readonly database: MeasuringDatabase) {}

  async add(count: number): Promise<void> {
    const worker = await openWorkerWith(this.database.settings());
    for (let added = 0; added < count; added += 5000) {
      const operations = Array.from({ length: Math.min(5000, count - added) }, () => {
        this.next += 1;
        const values = JSON.stringify({ id: this.next, a: `row ${this.next}`, b: this.next, c: `${this.next}.5` });
        return newOperation({ id: uuid(), type: 'insert', target: 'public.item', values });
      });
      await worker.queue.enqueue(operations);
      this.ids.push(operations[0]!.id);
    }
    await worker.close();
  }
}

async function pending(database: MeasuringDatabase): Promise<number> {
  const { rows } = await database.client.query<{ n: number }>('select count(*)::int as n from batch.pending');
  return rows[0]!.n;
}

/** Keeps every worker waiting while `work` runs. */
async function whileWorkersWait({ client }: MeasuringDatabase, work: () => Promise<void>): Promise<void> {
  const holder = await client.connect();
  await holder.query(`select pg_advisory_lock(${LANE_LOCK}, lane) from generate_series(0, 63) lane`);
  await work();
  await holder.query('select pg_advisory_unlock_all()');
  holder.release();
}

/** Chunks that were settled since, in their order. */
async function chunksSince(database: MeasuringDatabase, id: string): Promise<{ startedAt: Date; settledAt: Date }[]> {
  const { rows } = await database.client.query<{ startedAt: Date; settledAt: Date }>(
    'select started_at as "startedAt", settled_at as "settledAt" from batch.chunks where id > $1 order by id',
    [id],
  );
  return rows;
}

/** Starts a worker, and answers the operations a second of each window of chunks once it is warm. */
async function rates(
  database: MeasuringDatabase,
  { small, windows, warmUp, dist }: BacklogScale,
  refill: () => Promise<void>,
): Promise<number[]> {
  const chunksOfWindow = small / CHUNK;
  const { rows } = await database.client.query<{ id: string }>('select coalesce(max(id), 0) as id from batch.chunks');
  const worker = await startServiceProcess({
    environment: database.environment({ BATCH_ROLE: 'worker', BATCH_PROCESS_OPERATION_INTERVAL: '50' }),
    args: ['worker'],
    dist,
  });
  try {
    let chunks = await chunksSince(database, rows[0]!.id);
    while (chunks.length < (warmUp + windows) * chunksOfWindow) {
      await refill();
      await delay(50);
      chunks = await chunksSince(database, rows[0]!.id);
    }
    return Array.from({ length: windows }, (_, index) => {
      const first = chunks[(warmUp + index) * chunksOfWindow]!;
      const last = chunks[(warmUp + index + 1) * chunksOfWindow - 1]!;
      return (small * 1000) / (last.settledAt.getTime() - first.startedAt.getTime());
    });
  } finally {
    worker.signal('SIGTERM');
    await worker.exited;
  }
}

/** Asks for operations all the time, until it is told to stop; answers milliseconds. */
async function ask(url: string, ids: readonly string[], stop: AbortSignal): Promise<number[]> {
  const times: number[] = [];
  while (!stop.aborted) {
    const startedAt = performance.now();
    const response = await fetch(`${url}/api/v1/operations/${ids[Math.floor(Math.random() * ids.length)]}`);
    await response.json();
    if (response.status !== 200) throw new Error(`getOperation answered ${response.status}`);
    times.push(performance.now() - startedAt);
    await delay(1000 / ASKED_PER_SECOND);
  }
  return times;
}
