import { Logger, makeWorkerUtils, run, type WorkerUtils } from 'graphile-worker';
import type pg from 'pg';
import type { Contestant } from '../contest/contest.js';
import { insertItem } from '../rows/insert-items.sql.js';
import { makeItemTable } from '../rows/item-table.js';
import { inChunks, type Item } from '../rows/items.js';
import { openPool } from '../stage/connections.js';

const TASK = 'insert_item';

/**
 * As its documentation has it for throughput: many jobs at a time, a local queue that fetches hundreds with one statement, and
 * completions of jobs written together as soon as there are any. The pool has room for each job, and two more.
 */
const CONCURRENT_JOBS = 24;
const THROUGHPUT = {
  concurrentJobs: CONCURRENT_JOBS,
  maxPoolSize: CONCURRENT_JOBS + 2,
  localQueue: { size: 500 },
  completeJobBatchDelay: 0,
  failJobBatchDelay: 0,
} as const;

const silent = new Logger(() => () => undefined);

/** graphile-worker runs jobs one by one, so each row is a job, which writes it with the connection that it is handed. */
export const graphileWorker: Contestant = {
  name: 'graphile-worker',
  async open({ database, admin, scale }) {
    const table = await makeItemTable(admin, scale.operations);
    const pool = openPool(database, THROUGHPUT.maxPoolSize);
    let utils: WorkerUtils;
    try {
      utils = await makeWorkerUtils({ pgPool: pool, logger: silent });
      await utils.migrate();
    } catch (error) {
      await pool.end();
      throw error;
    }
    return {
      processes: [],
      async prepare() {
        await table.empty();
        await admin.query('truncate graphile_worker._private_jobs');
        for (const rows of inChunks(table.rows, 5000)) {
          await utils.addJobs(rows.map((payload) => ({ identifier: TASK, payload })));
        }
      },
      run: () => runJobs(pool, table.rows.length),
      async verify() {
        await table.verify();
        // A job that is done is deleted.
        const { rowCount } = await admin.query('select from graphile_worker._private_jobs');
        if (rowCount !== 0) throw new Error(`${rowCount} jobs are left`);
      },
      async close() {
        await utils.release();
        await pool.end();
      },
    };
  },
};

/** Starts a worker, and stops it when so many jobs have ended; both take a few hundredths of a second of the time. */
async function runJobs(pgPool: pg.Pool, jobs: number): Promise<void> {
  const runner = await run({
    preset: { worker: THROUGHPUT },
    pgPool,
    logger: silent,
    noHandleSignals: true,
    taskList: {
      [TASK]: async (payload, helpers) => {
        await helpers.withPgClient((client) => client.query(insertItem(payload as Item)));
      },
    },
  });
  let ended = 0;
  await new Promise<void>((resolve, reject) => {
    runner.events.on('job:complete', ({ error }) => {
      if (error !== null && error !== undefined) reject(new Error('A job failed', { cause: error }));
      else if ((ended += 1) === jobs) resolve();
    });
    runner.promise.catch(reject);
  });
  await runner.stop();
}
