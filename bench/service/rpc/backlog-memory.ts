import { median } from '../../../test/measure/statistics.js';
import type { Reading, Stage } from '../../contest/contest.js';
import { makeItemTable } from '../../rows/item-table.js';
import { inChunks } from '../../rows/items.js';
import { holdLanes } from '../lane-hold.js';
import { awaitSettled } from './await-settled.js';
import { openClient } from './callers.js';
import { handOver } from './hand-over.js';
import { OPERATIONS_PER_CALL, toRequest } from './item-requests.js';
import { emptyQueue, verifySettled } from './operation-tables.js';
import { startService } from './start-service.js';
import { whileWatching } from './watch-memory.js';

const PENDING = 100_000;
/** Shows that the procedure works. Its readings have other names, so that no target is judged by them. */
export const QUICK_PENDING = 10_000;

/**
 * What api and worker need while a long queue is filled and drained, in chunks of a thousand. The same processes live through all
 * repetitions, so that what they do not give back shows.
 */
export async function measureBacklogMemory(stage: Stage): Promise<Reading[]> {
  const { admin, rabbitmqUrl, scale } = stage;
  const pending = scale.quick ? QUICK_PENDING : PENDING;
  const table = await makeItemTable(admin, pending);
  const calls = inChunks(table.rows.map(toRequest), OPERATIONS_PER_CALL);
  const running = await startService(stage, ['api', 'worker']);
  const client = openClient(rabbitmqUrl, running.queue);
  const [api, worker] = running.pids as [number, number];
  const taken = { api: [] as number[][], worker: [] as number[][] };
  try {
    for (let repetition = 0; repetition < scale.repetitions; repetition += 1) {
      const hold = await holdLanes(admin);
      let filling: Record<'api', number[]>;
      try {
        await table.empty();
        await emptyQueue(admin);
        filling = await whileWatching({ api }, () => handOver(client, calls));
      } finally {
        await hold.release();
      }
      const draining = await whileWatching({ api, worker }, () => awaitSettled(admin, pending));
      await verifySettled(admin, pending);
      await table.verify();
      taken.api.push([...filling.api, ...draining.api]);
      taken.worker.push(draining.worker);
    }
  } finally {
    await client.close();
    await running.stop();
  }
  const suffix = scale.quick ? `, ${QUICK_PENDING} pending` : '';
  return (['worker', 'api'] as const).flatMap((role) => [
    { name: `RSS of the ${role}${suffix}`, unit: 'MB', values: taken[role].map((mb) => Math.max(...mb)) },
    { name: `RSS of the ${role}, median${suffix}`, unit: 'MB', values: taken[role].map(median) },
  ]);
}
