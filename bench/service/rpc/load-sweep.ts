import { median, quantile } from '../../../test/measure/statistics.js';
import { SCHEMA } from '../../../test/measure/overload/load.js';
import type { Reading, Series, Stage, StudyResult } from '../../contest/contest.js';
import { collectArrivals } from './arrivals.js';
import { openClient } from './callers.js';
import { measureCapacity, runStep, type LoadedService, type StepResult, type StepTimes } from './load-steps.js';
import { sendSingly } from './single-operations.js';
import { startService, type Role } from './start-service.js';

interface SweepPlan {
  /** Percent of the capacity. */
  shares: readonly number[];
  calibration: StepTimes;
  step: StepTimes;
  /** Steps that do not count, before the others: a process that has just started is slower. */
  discarded: number;
}

const FULL: SweepPlan = {
  shares: [5, 10, 30, 50, 70, 90],
  calibration: { warmUpMs: 4000, measuredMs: 6000 },
  step: { warmUpMs: 1000, measuredMs: 6000 },
  discarded: 1,
};
const QUICK: SweepPlan = {
  shares: [30],
  calibration: { warmUpMs: 500, measuredMs: 1000 },
  step: { warmUpMs: 300, measuredMs: 1200 },
  discarded: 0,
};
/** The share that is judged; one process alone is measured there only, at the same rate, so that both can be compared. */
const JUDGED = 30;

/** The readings of a step, by the name of their values in the plot. */
const METRICS = {
  throughput: { name: 'throughput', unit: 'operations/s', of: (step) => step.throughput },
  createdToAppliedP50: {
    name: 'created → applied p50',
    unit: 'ms',
    of: (step) => quantile(step.createdToApplied, 0.5),
  },
  createdToAppliedP99: {
    name: 'created → applied p99',
    unit: 'ms',
    of: (step) => quantile(step.createdToApplied, 0.99),
  },
  appliedToNotifiedP50: {
    name: 'applied → notified p50',
    unit: 'ms',
    of: (step) => quantile(step.appliedToNotified, 0.5),
  },
  appliedToNotifiedP99: {
    name: 'applied → notified p99',
    unit: 'ms',
    of: (step) => quantile(step.appliedToNotified, 0.99),
  },
  heldBack: { name: 'requests not sent', unit: 'requests', of: (step) => step.heldBack },
  operationsPerChunk: { name: 'operations a chunk', unit: 'operations', of: (step) => step.operationsPerChunk },
  ownDelayP99: { name: 'delay of the measuring process p99', unit: 'ms', of: (step) => step.ownDelayP99 },
} as const satisfies Record<string, { name: string; unit: string; of: (step: StepResult) => number }>;

interface LoadPoint {
  share: number;
  offered: number;
  steps: StepResult[];
}

/**
 * The time that operations take under loads from low to almost the capacity of the service: single operations by RPC
 * over RabbitMQ, which keep coming whether or not they are answered. With default settings; api and worker are
 * processes of their own.
 */
export async function sweepLoad(stage: Stage): Promise<StudyResult> {
  const plan = stage.scale.quick ? QUICK : FULL;
  await stage.admin.query(SCHEMA);
  const take = (service: LoadedService, shares: readonly number[], capacity: number): Promise<LoadPoint[]> =>
    takePoints(
      service,
      shares.map((share): LoadPoint => ({ share, offered: (capacity * share) / 100, steps: [] })),
      plan,
      stage.scale.repetitions,
    );
  const { capacity, points } = await withService(stage, ['api', 'worker'], async (service) => {
    const found = await measureCapacity(service, plan.calibration);
    stage.log(`latency: capacity ${Math.round(found)} operations a second, one a call`);
    return { capacity: found, points: await take(service, plan.shares, found) };
  });
  const alone = stage.scale.quick
    ? []
    : await withService(stage, ['all'], (service) => take(service, [JUDGED], capacity));
  return {
    readings: [
      { name: 'capacity, one operation a call', unit: 'operations/s', values: [capacity] },
      ...points.flatMap((point) => readingsOf(point)),
      ...alone.flatMap((point) => readingsOf(point, ', one process')),
    ],
    series: [seriesOf(points)],
  };
}

async function withService<T>(
  stage: Stage,
  roles: readonly Role[],
  work: (service: LoadedService) => Promise<T>,
): Promise<T> {
  const running = await startService(stage, roles);
  const client = openClient(stage.rabbitmqUrl, running.queue);
  try {
    const arrivals = await collectArrivals(stage.rabbitmqUrl);
    try {
      return await work({ admin: stage.admin, send: sendSingly(client), arrivals });
    } finally {
      await arrivals.close();
    }
  } finally {
    await client.close();
    await running.stop();
  }
}

/** All loads in turn, over and over. */
async function takePoints(
  service: LoadedService,
  points: LoadPoint[],
  { step, discarded }: SweepPlan,
  repetitions: number,
): Promise<LoadPoint[]> {
  for (let round = 0; round < discarded; round += 1) await runStep(service, points[0]!.offered, step);
  for (let repetition = 0; repetition < repetitions; repetition += 1) {
    for (const { offered, steps } of points) steps.push(await runStep(service, offered, step));
  }
  return points;
}

function readingsOf({ share, steps }: LoadPoint, variant = ''): Reading[] {
  return Object.values(METRICS).map(({ name, unit, of }) => ({
    name: `${name} at ${share} %${variant}`,
    unit,
    values: steps.map(of),
  }));
}

function seriesOf(points: readonly LoadPoint[]): Series {
  return {
    name: 'latency',
    points: points.map(({ offered, steps }) => ({
      offered,
      ...Object.fromEntries(Object.entries(METRICS).map(([key, { of }]) => [key, median(steps.map(of))])),
    })),
  };
}
