import type pg from 'pg';
import { Cleanup } from '../../test/support/cleanup.js';
import { databaseEnvironment } from '../../test/support/test-databases.js';
import type { TestEnvironment } from '../../test/support/test-settings.js';
import type { Runner, Stage } from '../contest/contest.js';
import { executesChunk } from '../counting/transaction.js';
import { openFiller, type QueuedOperation } from './filler.js';
import { holdLanes, type LaneHold } from './lane-hold.js';
import { awaitSettled } from './rpc/await-settled.js';
import { emptyQueue, verifySettled } from './rpc/operation-tables.js';
import { startService } from './rpc/start-service.js';

/** The work of the service, and the check that it is done. */
export interface Work {
  operations: readonly QueuedOperation[];
  /** How many of them fail; default none. */
  failed?: number;
  /** Puts the target tables into the state before. */
  empty(): Promise<void>;
  /** @throws when they are not in the state after */
  verify(): Promise<void>;
}

/** A runner that knows how long its work took. */
export interface Drain extends Runner {
  run(): Promise<number>;
}

/** The last chunk is noticed at most this much too late. More frequent checks took a tenth of all processor time. */
const LOOK_EVERY_MS = 20;

/**
 * Drains a filled queue with one worker, a process of its own that lives through all repetitions. The lanes are held while the
 * queue is filled; that the worker is woken through Redis is how it finds them free at once.
 *
 * @param settings those that are not the default ones
 */
export async function openDrain(stage: Stage, work: Work, settings: TestEnvironment = {}): Promise<Drain> {
  const { admin } = stage;
  const operations = work.operations.length;
  const cleanup = new Cleanup();
  // It makes the service's tables, too.
  const worker = await startService(stage, ['worker'], { broker: false, redis: true, settings });
  cleanup.add('the worker', () => worker.stop());
  try {
    const filler = await openFiller({ REDIS_URL: stage.redisUrl, ...databaseEnvironment(stage.database) });
    cleanup.add('the filler', () => filler.close());
    let hold: LaneHold | undefined;
    // The lanes are still held if a repetition ended before its work began.
    cleanup.add('the lanes', async () => hold?.release());
    return {
      processes: worker.pids,
      async prepare() {
        hold = await holdLanes(admin);
        await emptyQueue(admin);
        await work.empty();
        await filler.fill(work.operations);
      },
      async run() {
        await hold?.release();
        // If the signal is lost, it finds them at its next interval.
        filler.wakeWorkers();
        await worker.during(() => awaitSettled(admin, operations, { lookEveryMs: LOOK_EVERY_MS }));
        return secondsOfChunks(admin);
      },
      // A chunk counts. The regular polls of the worker do not.
      isWork: executesChunk,
      async verify() {
        await verifySettled(admin, operations, work.failed);
        await work.verify();
      },
      async close() {
        const faults = await cleanup.run();
        if (faults.length > 0) throw new Error(faults.join('; '));
      },
    };
  } catch (error) {
    await cleanup.run();
    throw error;
  }
}

/**
 * From the moment in which the first chunk began, before its claim, until all were seen to be committed, at most one look late:
 * the time until the worker looks again, which a queue that never ran empty does not have, is no part of it.
 */
async function secondsOfChunks(admin: pg.Pool): Promise<number> {
  const { rows } = await admin.query<{ seconds: number }>(
    'select extract(epoch from clock_timestamp() - min(started_at))::float8 as seconds from batch.chunks',
  );
  return rows[0]!.seconds;
}
