import type { FigureResult, Verdict } from '../contest/contest.js';
import { CLEAN, DIRECT, ENGINE_RSS, ONE_IN_THOUSAND } from '../engine/engine-reading-names.js';
import { applyRateAt, isolationAgainstClean, ISOLATION_AGAINST_SAVEPOINTS } from '../studies/reading-names.js';
import { Measured } from './measured.js';

const SERVICE = 'Batch Service';
/** A slope is never exactly zero. A larger one than this doubles the memory of a process within a day. */
const FLAT_MB_PER_HOUR = 8;

/** A line of the list of targets: a number of a run, and its lower or upper limit. */
interface Target {
  target: number;
  claim: string;
  bound: { atLeast: number } | { atMost: number };
  value: (measured: Measured) => number | undefined;
}

const throughput = (
  target: number,
  race: string,
  atLeast: number,
  control: string,
  what: string,
  contestant = SERVICE,
): Target => ({
  target,
  claim: `${what}: at least ${atLeast} × ${control}`,
  bound: { atLeast },
  value: (measured) => measured.throughputRatio(race, contestant, control),
});

const isolation = (bad: number, atMost: number, scope: 'whole chunk' | 'executor alone'): Target => ({
  target: 7,
  claim: `isolation of ${bad} in 1000, ${scope}: at most ${atMost} × clean`,
  bound: { atMost },
  value: (measured) => measured.worstReading('isolation', isolationAgainstClean(bad, scope)),
});

const reading = (target: number, study: string, name: string, atMost: number, unit: string): Target => ({
  target,
  claim: `${name}: at most ${atMost} ${unit}`,
  bound: { atMost },
  value: (measured) => measured.reading(study, name),
});

/** A limit that also holds for the worst repetition. */
const ceiling = (target: number, study: string, name: string, atMost: number, unit: string): Target => ({
  ...reading(target, study, name, atMost, unit),
  value: (measured) => measured.highestReading(study, name),
});

/** Targets 1 to 10, and 12, that of the batch engine. A target that can be read in two ways has a line for each. */
const TARGETS: readonly Target[] = [
  throughput(1, 'apply', 0.5, 'direct', 'apply, plain inserts'),
  throughput(1, 'apply', 5, 'pg-boss', 'apply, plain inserts'),
  throughput(1, 'mixed', 0.3, 'direct', 'apply, mixed kinds, 8 tables'),
  throughput(2, 'messy-2', 8, 'row by row', 'messy data, 2 % refused'),
  throughput(2, 'messy-12', 5, 'row by row', 'messy data, 12 % refused'),
  {
    target: 2,
    claim: 'round trips a chunk of 1000, 12 % refused: at most 8',
    bound: { atMost: 8 },
    value: (measured) => measured.countedPerThousand('messy-12', SERVICE, ({ roundTrips }) => roundTrips),
  },
  throughput(3, 'enqueue', 1, 'pg-boss', 'enqueue, 1000 a call'),
  throughput(3, 'enqueue', 1.5, 'pg-boss', 'enqueue in SQL, 1000 a call', 'Batch Service, in SQL'),
  throughput(4, 'enqueue-single', 0.6, 'empty echo', 'enqueue, one a call, 64 in flight'),
  throughput(
    4,
    'enqueue-single',
    0.6,
    'empty echo',
    "enqueue, one a call, with Nest's client",
    'Batch Service, Nest client',
  ),
  throughput(4, 'enqueue-single-256', 0.6, 'empty echo', 'enqueue, one a call, 256 in flight'),
  throughput(5, 'end-to-end', 0.2, 'direct', 'end to end, api and worker'),
  throughput(5, 'end-to-end', 0.2, 'direct', 'end to end, one process', 'Batch Service, one process'),
  {
    target: 6,
    claim: 'WAL of an operation, applied: at most 850 bytes',
    bound: { atMost: 850 },
    value: (measured) => measured.perOperation('apply', SERVICE, ({ walBytes }) => walBytes),
  },
  {
    target: 6,
    claim: 'WAL of an operation, taken in and applied: at most 850 bytes',
    bound: { atMost: 850 },
    value: (measured) => measured.perOperation('end-to-end', SERVICE, ({ walBytes }) => walBytes),
  },
  {
    target: 6,
    claim: 'statements a chunk of 1000 that carry data: at most 8',
    bound: { atMost: 8 },
    value: (measured) => measured.countedPerThousand('apply', SERVICE, ({ dataStatements }) => dataStatements),
  },
  {
    target: 6,
    claim: 'commits a chunk of 1000: at most 1',
    bound: { atMost: 1 },
    value: (measured) => measured.countedPerThousand('apply', SERVICE, ({ commits }) => commits),
  },
  isolation(1, 1.5, 'whole chunk'),
  isolation(20, 2, 'whole chunk'),
  isolation(100, 4, 'whole chunk'),
  isolation(1, 1.5, 'executor alone'),
  isolation(20, 2, 'executor alone'),
  isolation(100, 4, 'executor alone'),
  {
    target: 7,
    claim: 'isolation, all bad: at most 0.6 × a savepoint per row',
    bound: { atMost: 0.6 },
    value: (measured) => measured.worstReading('isolation', ISOLATION_AGAINST_SAVEPOINTS),
  },
  reading(8, 'latency', 'created → applied p99 at 30 %', 50, 'ms'),
  reading(8, 'latency', 'applied → notified p99 at 30 %', 25, 'ms'),
  ceiling(9, 'memory', 'RSS of the worker', 200, 'MB'),
  ceiling(9, 'memory', 'RSS of the api', 200, 'MB'),
  reading(9, 'memory', 'soak slope of the worker', FLAT_MB_PER_HOUR, 'MB/hour'),
  reading(9, 'memory', 'soak slope of the api', FLAT_MB_PER_HOUR, 'MB/hour'),
  {
    target: 10,
    claim: 'apply with 1 000 000 pending: at least 0.9 × with 10 000',
    bound: { atLeast: 0.9 },
    value: (measured) => measured.readingRatio('backlog', applyRateAt(1_000_000), applyRateAt(10_000)),
  },
  {
    target: 12,
    claim: 'engine, a clean CSV file into a table: at least 0.3 × direct',
    bound: { atLeast: 0.3 },
    value: (measured) => measured.readingRatio('engine', CLEAN, DIRECT),
  },
  {
    target: 12,
    claim: 'engine, 0.1 % bad rows: at least 0.5 × clean',
    bound: { atLeast: 0.5 },
    value: (measured) => measured.readingRatio('engine', ONE_IN_THOUSAND, CLEAN),
  },
  ceiling(12, 'engine', ENGINE_RSS, 200, 'MB'),
];

/** The value and verdict of each target in one run. Both are missing if the run has not measured it. */
export function judgeTargets(figures: readonly FigureResult[]): Verdict[] {
  const measured = new Measured(figures);
  return TARGETS.map(({ target, claim, bound, value: valueIn }) => {
    const value = valueIn(measured);
    if (value === undefined) return { target, claim };
    return { target, claim, value, met: 'atLeast' in bound ? value >= bound.atLeast : value <= bound.atMost };
  });
}
