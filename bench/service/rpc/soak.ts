import { median } from '../../../test/measure/statistics.js';
import { isTrue, truthOf } from '../../../test/measure/overload/ledger.js';
import { newTally, openLoop, SCHEMA, type Send } from '../../../test/measure/overload/load.js';
import type { Stage, StudyResult } from '../../contest/contest.js';
import { awaitSettled } from './await-settled.js';
import { openClient } from './callers.js';
import { emptyQueue } from './operation-tables.js';
import { slopeOf, type Point } from './slope.js';
import { assertTaken } from './single-operations.js';
import { startService } from './start-service.js';
import { rssMb } from './watch-memory.js';

const OPERATIONS_PER_SECOND = 2000;
/** One operation a call would keep this machine busy with messages. */
const OPERATIONS_PER_CALL = 20;
const LOOK_EVERY_MS = 10_000;
/** A shorter soak shows only how processes warm up. Its readings have other names, so no target uses them. */
const LEAST_JUDGED_MINUTES = 30;

interface Look {
  minutes: number;
  api: number;
  worker: number;
}

/** Whether memory stays where it is: a constant load for a long time, on processes that have just started. */
export async function soak(stage: Stage, minutes: number): Promise<StudyResult> {
  const { admin, rabbitmqUrl } = stage;
  await admin.query(SCHEMA);
  const running = await startService(stage, ['api', 'worker']);
  const client = openClient(rabbitmqUrl, running.queue);
  try {
    await emptyQueue(admin);
    const [api, worker] = running.pids as [number, number];
    const looks: Look[] = [];
    const startedAt = performance.now();
    let acknowledged = 0;
    for (let elapsed = 0; elapsed < minutes; elapsed = (performance.now() - startedAt) / 60_000) {
      acknowledged += await loadOnce((operations) => client.createOperations(operations));
      looks.push({
        minutes: (performance.now() - startedAt) / 60_000,
        api: await rssMb(api),
        worker: await rssMb(worker),
      });
    }
    const seconds = (performance.now() - startedAt) / 1000;
    await awaitSettled(admin, acknowledged);
    const truth = await truthOf(admin, []);
    if (!isTrue(truth) || truth.inserts.stored + truth.increments.stored !== acknowledged) {
      throw new Error(`${acknowledged} operations were acknowledged, but the tables say ${JSON.stringify(truth)}`);
    }
    const { readings, series } = toResult(looks, acknowledged / seconds);
    const suffix = minutes < LEAST_JUDGED_MINUTES ? `, ${minutes} minutes only` : '';
    return { readings: readings.map((reading) => ({ ...reading, name: `${reading.name}${suffix}` })), series };
  } finally {
    await client.close();
    await running.stop();
  }
}

/** One period. It then forgets what it sent, so that this process does not grow. @returns acknowledged operations */
async function loadOnce(send: Send): Promise<number> {
  const tally = newTally();
  await openLoop([send], OPERATIONS_PER_SECOND, OPERATIONS_PER_CALL, LOOK_EVERY_MS, tally);
  assertTaken(tally);
  if (tally.heldBack > 0)
    throw new Error(`${tally.heldBack} requests of the soak were not sent: it was no constant load`);
  return tally.acknowledged.length;
}

function toResult(looks: readonly Look[], operationsPerSecond: number): StudyResult {
  const quarter = Math.ceil(looks.length / 4);
  const readings = (['worker', 'api'] as const).flatMap((role) => {
    const mb = looks.map((look) => look[role]);
    return [
      { name: `soak RSS of the ${role}, first quarter`, unit: 'MB', values: [median(mb.slice(0, quarter))] },
      { name: `soak RSS of the ${role}, last quarter`, unit: 'MB', values: [median(mb.slice(-quarter))] },
      { name: `soak RSS of the ${role}, at most`, unit: 'MB', values: [Math.max(...mb)] },
      { name: `soak slope of the ${role}`, unit: 'MB/hour', values: [slopePerHour(looks.slice(quarter), role)] },
    ];
  });
  const points = looks.map(({ minutes, api, worker }) => ({ minutes, apiMb: api, workerMb: worker }));
  const load = { name: 'soak load', unit: 'operations/s', values: [operationsPerSecond] };
  return { readings: [load, ...readings], series: [{ name: 'soak', points }] };
}

/** Without the first quarter, in which a process grows to its working size. */
function slopePerHour(looks: readonly Look[], role: 'api' | 'worker'): number {
  return slopeOf(looks.map((look): Point => ({ x: look.minutes / 60, y: look[role] })));
}
