import { Queue, Worker } from 'bullmq';
import { uniqueName } from '../../test/support/unique-name.js';
import type { Contestant } from '../contest/contest.js';
import { insertItem } from '../rows/insert-items.sql.js';
import { makeItemTable } from '../rows/item-table.js';
import { inChunks, type Item } from '../rows/items.js';
import { openPool } from '../stage/connections.js';

/** Jobs at a time: its documentation uses 50 for jobs that wait for something, like these. */
const CONCURRENCY = 50;
/** Connections that they share; more do not make two processors faster. */
const CONNECTIONS = 16;

/**
 * BullMQ runs jobs one by one, so each row is a job. Completed jobs are removed, which spares Redis the most; this Redis is in
 * memory only, so that the queue, unlike those in PostgreSQL, is not durable.
 */
export const bullmq: Contestant = {
  name: 'bullmq',
  async open({ database, admin, scale, redisUrl }) {
    const table = await makeItemTable(admin, scale.operations);
    const { hostname: host, port } = new URL(redisUrl);
    const connection = { host, port: Number(port), maxRetriesPerRequest: null };
    const name = uniqueName('items');
    const queue = new Queue<Item>(name, { connection, defaultJobOptions: { removeOnComplete: true } });
    const pool = openPool(database, CONNECTIONS);
    const insert = async ({ data }: { data: Item }): Promise<void> => void (await pool.query(insertItem(data)));
    // Each repetition has a worker of its own, which is connected before the clock runs.
    let worker: Worker<Item> | undefined;
    return {
      processes: [],
      async prepare() {
        await table.empty();
        await queue.obliterate({ force: true });
        for (const rows of inChunks(table.rows, 1000)) {
          await queue.addBulk(rows.map((data) => ({ name: 'insert', data })));
        }
        worker = new Worker(name, insert, { connection, concurrency: CONCURRENCY, autorun: false });
        await worker.waitUntilReady();
      },
      run: () => runJobs(worker!, table.rows.length),
      async verify() {
        await worker?.close();
        await table.verify();
        const counts = await queue.getJobCounts();
        const left = Object.values(counts).reduce((sum, count) => sum + count, 0);
        if (left !== 0) throw new Error(`Jobs are left: ${JSON.stringify(counts)}`);
      },
      async close() {
        await worker?.close(true);
        await queue.close();
        await pool.end();
      },
    };
  },
};

/** Resolves when so many jobs are completed. @throws when one fails */
function runJobs(worker: Worker<Item>, jobs: number): Promise<void> {
  let completed = 0;
  return new Promise((resolve, reject) => {
    worker.on('completed', () => {
      if ((completed += 1) === jobs) resolve();
    });
    worker.on('failed', (_job, error) => reject(error));
    worker.on('error', reject);
    worker.run().catch(reject);
  });
}
