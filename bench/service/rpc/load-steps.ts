import { monitorEventLoopDelay } from 'node:perf_hooks';
import type pg from 'pg';
import { closedLoop, newTally, openLoop, type Send } from '../../../test/measure/overload/load.js';
import { isTrue, truthOf } from '../../../test/measure/overload/ledger.js';
import type { Arrivals } from './arrivals.js';
import { awaitSettled } from './await-settled.js';
import { emptyQueue, settledOperations } from './operation-tables.js';
import { assertTaken } from './single-operations.js';

/** A load on the service, sent by `send`. */
export interface LoadedService {
  admin: pg.Pool;
  send: Send;
  arrivals: Arrivals;
}

export interface StepTimes {
  /** Measurements before this time do not count. */
  warmUpMs: number;
  measuredMs: number;
}

/** The result of a constant load, for the operations that were created while it was measured. */
export interface StepResult {
  /** Milliseconds from `created_at`, which is when the transaction began that stored it, until its chunk was settled. */
  createdToApplied: number[];
  /** From there until the notification arrived. Milliseconds, to the millisecond. */
  appliedToNotified: number[];
  /** Operations a second, from the first that was created to the last that was settled. */
  throughput: number;
  /** Requests that were due but not sent, because too many had no answer yet. With any, the load is too high. */
  heldBack: number;
  operationsPerChunk: number;
  /** The delay of this process itself in milliseconds, p99. Notifications that arrived meanwhile were noted late. */
  ownDelayP99: number;
}

/** Enough requests without an answer to keep the service busy all the time. */
const IN_FLIGHT = 256;
const DELAY_RESOLUTION_MS = 2;

/** Settled operations a second, if each answer is followed by a new request. One operation a call. */
export async function measureCapacity({ admin, send }: LoadedService, times: StepTimes): Promise<number> {
  await startOver(admin);
  const tally = newTally();
  await closedLoop(send, IN_FLIGHT, 1, times.warmUpMs, tally);
  const before = await settledOperations(admin);
  const startedAt = performance.now();
  await closedLoop(send, IN_FLIGHT, 1, times.measuredMs, tally);
  const settled = (await settledOperations(admin)) - before;
  const capacity = (settled * 1000) / (performance.now() - startedAt);
  assertTaken(tally);
  await awaitSettled(admin, tally.acknowledged.length);
  return capacity;
}

/** A fixed number of calls a second with one operation each, sent in ticks of a few milliseconds, answered or not. */
export async function runStep(
  { admin, send, arrivals }: LoadedService,
  perSecond: number,
  { warmUpMs, measuredMs }: StepTimes,
): Promise<StepResult> {
  await startOver(admin);
  arrivals.forget();
  const tally = newTally();
  const measuredFrom = Date.now() + warmUpMs;
  const delays = monitorEventLoopDelay({ resolution: DELAY_RESOLUTION_MS });
  delays.enable();
  await openLoop([send], perSecond, 1, warmUpMs + measuredMs, tally);
  delays.disable();
  assertTaken(tally);
  await awaitSettled(admin, tally.acknowledged.length);
  await arrivals.of(tally.acknowledged);
  const truth = await truthOf(admin, tally.acknowledged);
  if (!isTrue(truth)) throw new Error(`Tables and acknowledgements differ: ${JSON.stringify(truth)}`);
  return {
    heldBack: tally.heldBack,
    ...evaluate(await journeysSince(admin, measuredFrom), arrivals.at),
    // It measures the time between two checks.
    ownDelayP99: Math.max(0, delays.percentile(99) / 1e6 - DELAY_RESOLUTION_MS),
  };
}

async function startOver(admin: pg.Pool): Promise<void> {
  await emptyQueue(admin);
  await admin.query('truncate ledger');
  await admin.query('update counters set n = 0');
  await admin.query('vacuum analyze counters');
}

/** An operation on its way; times in milliseconds since 1970. */
interface Journey {
  id: string;
  chunk: string;
  createdAt: number;
  settledAt: number;
}

async function journeysSince(admin: pg.Pool, since: number): Promise<Journey[]> {
  const { rows } = await admin.query<Journey>(
    `select id, chunk_id as chunk, extract(epoch from created_at)::float8 * 1000 as "createdAt",
       extract(epoch from settled_at)::float8 * 1000 as "settledAt"
     from batch.batch_operations
     where created_at >= to_timestamp($1::float8 / 1000)`,
    [since],
  );
  if (rows.length === 0) throw new Error('No operation was created while it was measured');
  return rows;
}

function evaluate(
  journeys: readonly Journey[],
  arrivals: ReadonlyMap<string, number>,
): Omit<StepResult, 'ownDelayP99' | 'heldBack'> {
  let [first, last] = [Infinity, -Infinity];
  for (const { createdAt, settledAt } of journeys) {
    first = Math.min(first, createdAt);
    last = Math.max(last, settledAt);
  }
  return {
    createdToApplied: journeys.map(({ createdAt, settledAt }) => settledAt - createdAt),
    appliedToNotified: journeys.map(({ id, settledAt }) => arrivals.get(id)! - settledAt),
    throughput: (journeys.length * 1000) / (last - first),
    operationsPerChunk: journeys.length / new Set(journeys.map(({ chunk }) => chunk)).size,
  };
}
