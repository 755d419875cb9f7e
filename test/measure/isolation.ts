/**
 * What k bad rows in a chunk of 1000 inserts cost, against the same chunk without any, for `npm run measure:isolation`. Controls:
 * a savepoint for each row, awaited one after the other, and all sent at once. Interleaved; medians with minimum and maximum.
 */
import type { Table } from '../../src/services/catalog/table.js';
import type { Plan } from '../../src/services/planner/plan.js';
import { bind, DDL, FAULTS, inserts, planOf, rows, singly, type Fault } from './isolation-cases.js';
import {
  AWAITED,
  BAD,
  chunkCases,
  executorCase,
  oneGroupCases,
  PIPELINED,
  ROWS,
  type ChunkCase,
  type ExecutorCase,
} from './isolation-contest.js';
import { savepointsAwaited } from './isolation-executions.js';
import { timeChunks, timeExecutor } from './isolation-runs.js';
import { median, say, withMeasuringDatabase, type MeasuringDatabase } from './measuring.js';

const REPETITIONS = Number(process.env.REPETITIONS ?? 9);
const faults = Object.keys(FAULTS) as Fault[];

const cases = (table: Table): ExecutorCase[] => [
  ...oneGroupCases(table, faults),
  ...[0, 1, 18, 100].map((bad) => executorCase('300 groups', '300 groups', bad, manyGroups(table, bad))),
  ...[0, ...BAD].map((bad) => executorCase('chain on one row', 'chain', bad, chain(table, bad))),
  executorCase(AWAITED, 'chain', ROWS, chain(table, ROWS), savepointsAwaited),
];

function manyGroups(table: Table, bad: number): Plan {
  const operations = inserts(table, rows(ROWS, bad, 'check of two columns'));
  return planOf(Array.from({ length: 300 }, (_, group) => operations.filter((__, index) => index % 300 === group)));
}

/** Increments that cannot be folded, one in `ROWS / bad` of them down to where no value may be. */
function chain(table: Table, bad: number): Plan {
  return singly(
    rows(ROWS, bad, 'check').map(({ n }) =>
      bind(table, { type: 'increment', key: { id: 100_000 }, values: { n: Number(n) < 0 ? -1_000_000 : 1 } }),
    ),
  );
}

function timesOf(ms: readonly number[]): string {
  const [low, high] = [Math.min(...ms), Math.max(...ms)];
  return `${median(ms).toFixed(1).padStart(6)} (${low.toFixed(1)}–${high.toFixed(1)})`.padEnd(22);
}

const ratioOf = (ms: number, clean: number): string => (ms / clean).toFixed(2).padStart(8);

function print(all: readonly ExecutorCase[]): void {
  say('case                              k  statements   median ms (min–max)     × clean  × awaited  × pipelined');
  for (const { name, family, bad, ms, figures } of all) {
    const clean = all.find((each) => each.bad === 0 && each.family === family) ?? all[0];
    const control = (kind: string): ExecutorCase | undefined =>
      all.find((each) => each.family === family && each.name === kind && each.bad === bad);
    const ratio = (other: ExecutorCase | undefined): string =>
      other === undefined ? '–' : (median(ms) / median(other.ms)).toFixed(2);
    const columns = [
      name.padEnd(30),
      String(bad).padStart(4),
      String(figures?.statements).padStart(11),
      `  ${timesOf(ms)}`,
      ratio(clean).padStart(8),
      ratio(control(AWAITED)).padStart(10),
      ratio(control(PIPELINED)).padStart(12),
    ];
    say(columns.join(' '));
  }
}

function printChunks(all: readonly ChunkCase[]): void {
  const clean = median(all[0]!.ms);
  say('\nwhole chunk                       k   median ms (min–max)     × clean');
  for (const { fault, bad, ms } of all) {
    say(
      `${(bad === 0 ? 'clean' : fault).padEnd(30)} ${String(bad).padStart(4)}  ${timesOf(ms)} ${ratioOf(median(ms), clean)}`,
    );
  }
}

async function main(database: MeasuringDatabase): Promise<void> {
  print(await timeExecutor(database, cases, REPETITIONS));
  printChunks(await timeChunks(database, chunkCases(faults), REPETITIONS));
}

await withMeasuringDatabase('isolation', DDL, main);
