import { setTimeout as delay } from 'node:timers/promises';
import { NestFactory } from '@nestjs/core';
import { Queue } from 'bullmq';
import type pg from 'pg';
import { enqueue } from '../../src/worker/queue/job-options.js';
import { queueConnection } from '../../src/worker/queue/queue-connection.js';
import { WorkerQueuesModule } from '../../src/worker/queue/worker-queues.module.js';
import { eventually } from '../support/eventually.js';
import { uniqueName } from '../support/unique-name.js';
import { WorkerProcess } from '../support/workers/worker-process.js';
import type { WorkerReport } from '../support/workers/worker-program.js';

/** Workers that run at the same time. While one starts the other works. */
const WORKERS = 2;
const CONCURRENCY = 4;
const JOBS_A_KILL = 5;
/** A job takes twice as long: in its transaction, and after it. */
const JOB_MS = 10;
const LATEST_KILL_MS = 15;
const FINISH_TIMEOUT_MS = 120_000;

export interface Stage {
  program: string;
  pool: pg.Pool;
  /** Where the queue and the database are. */
  environment: NodeJS.ProcessEnv;
}

export interface KillResult {
  jobs: number;
  /** Kills by what the worker had reported last. */
  kills: Record<WorkerReport['is'], number>;
  lost: number;
  doubled: number;
  /** Jobs that the queue calls failed. */
  failed: number;
  completed: number;
}

/** Kills workers in the middle of jobs. Then one worker finishes what is left, and the effects are counted. */
export async function runKills(
  stage: Stage,
  { kills, control }: { kills: number; control: boolean },
): Promise<KillResult> {
  const name = uniqueName('kill');
  const environment = {
    ...stage.environment,
    ...{ TEST_QUEUE: name, TEST_ONCE: String(!control), TEST_MAX_STALLED: String(kills) },
    ...{ WORKER_NAME: 'killed', WORKER_CONCURRENCY: String(CONCURRENCY), WORKER_LOCK_SECONDS: '1' },
  };
  await makeQueueSchema(environment);
  const queue = new Queue(name, { connection: queueConnection(environment) });
  try {
    const jobs = kills * JOBS_A_KILL;
    const data = { ms: JOB_MS };
    // All are kept until the end, so that they can be counted.
    for (let job = 0; job < jobs; job += 1) {
      await enqueue(queue, { type: 'effect', targetId: `${name} ${job}`, data, removeOnComplete: false });
    }
    const killed = await killAgainAndAgain(stage.program, environment, kills);
    await finish(stage.program, environment, queue);
    const { failed = 0, completed = 0 } = await queue.getJobCounts('failed', 'completed');
    return { jobs, kills: killed, failed, completed, ...(await countEffects(stage.pool, name, jobs)) };
  } finally {
    await queue.obliterate({ force: true });
    await queue.close();
  }
}

async function makeQueueSchema(environment: NodeJS.ProcessEnv): Promise<void> {
  const app = await NestFactory.createApplicationContext(WorkerQueuesModule.forRoot({ environment }), {
    logger: false,
  });
  await app.close();
}

async function killAgainAndAgain(program: string, environment: NodeJS.ProcessEnv, kills: number) {
  const killed: Record<WorkerReport['is'], number> = { written: 0, committed: 0 };
  let left = kills;
  const slot = async (): Promise<void> => {
    while (left > 0) {
      left -= 1;
      // In turn in the middle of the transaction, and between its commit and the answer to the queue.
      const point = left % 2 === 0 ? 'written' : 'committed';
      const worker = new WorkerProcess(program, environment);
      await worker.next(point);
      await delay(Math.random() * LATEST_KILL_MS);
      await worker.kill();
      killed[point] += 1;
    }
  };
  await Promise.all(Array.from({ length: WORKERS }, slot));
  return killed;
}

async function finish(program: string, environment: NodeJS.ProcessEnv, queue: Queue): Promise<void> {
  const worker = new WorkerProcess(program, environment);
  try {
    await eventually(
      async () => {
        const { waiting, active, delayed } = await queue.getJobCounts('waiting', 'active', 'delayed');
        if (waiting || active || delayed)
          throw new Error(`Left: ${waiting} waiting, ${active} active, ${delayed} delayed`);
      },
      { timeoutMs: FINISH_TIMEOUT_MS, intervalMs: 200 },
    );
  } finally {
    await worker.kill();
  }
}

async function countEffects(pool: pg.Pool, name: string, jobs: number): Promise<{ lost: number; doubled: number }> {
  const { rows } = await pool.query<{ targets: number; doubled: number }>(
    `select count(*)::int as targets, coalesce(sum(effects - 1), 0)::int as doubled
     from (select count(*) as effects from effects where starts_with(target, $1) group by target) counted`,
    [`${name} `],
  );
  const [{ targets, doubled } = { targets: 0, doubled: 0 }] = rows;
  return { lost: jobs - targets, doubled };
}
