import type { Table } from '../../src/services/catalog/table.js';
import type { Plan } from '../../src/services/planner/plan.js';
import { inserts, planOf, rows, type Fault } from './isolation-cases.js';
import {
  isolating,
  savepointsAwaited,
  savepointsPipelined,
  type Execute,
  type Figures,
} from './isolation-executions.js';

/** Of a chunk. */
export const ROWS = 1000;
/** How many of them are bad. */
export const BAD = [1, 20, 100, ROWS];

export const AWAITED = 'savepoint per row, awaited';
export const PIPELINED = 'savepoint per row, pipelined';

/** A plan and a way of executing it, with the times that it took. */
export interface ExecutorCase {
  name: string;
  /** Cases with the same operations, but for the bad ones. */
  family: string;
  bad: number;
  plan: Plan;
  execute: Execute;
  ms: number[];
  figures: Figures | undefined;
}

/** A whole chunk, from the claim to the commit, with the times that it took. */
export interface ChunkCase {
  fault: Fault;
  bad: number;
  ms: number[];
}

export const executorCase = (
  name: string,
  family: string,
  bad: number,
  plan: Plan,
  execute: Execute = isolating,
): ExecutorCase => ({ name, family, bad, plan, execute, ms: [], figures: undefined });

export const CLEAN_GROUP = 'one group';

/** Plain inserts in one group: clean, and with each number of bad ones for each fault, beside a savepoint for each row. */
export function oneGroupCases(table: Table, faults: readonly Fault[]): ExecutorCase[] {
  const oneGroup = (bad: number, fault: Fault): Plan => planOf([inserts(table, rows(ROWS, bad, fault))]);
  return [
    executorCase('one group, clean', CLEAN_GROUP, 0, oneGroup(0, 'check')),
    executorCase(AWAITED, CLEAN_GROUP, 0, oneGroup(0, 'check'), savepointsAwaited),
    ...faults.flatMap((fault) => [
      ...BAD.map((bad) => executorCase(fault, fault, bad, oneGroup(bad, fault))),
      executorCase(AWAITED, fault, ROWS, oneGroup(ROWS, fault), savepointsAwaited),
      executorCase(PIPELINED, fault, ROWS, oneGroup(ROWS, fault), savepointsPipelined),
    ]),
  ];
}

/** The same rows as whole chunks; the first one is clean. */
export const chunkCases = (faults: readonly Fault[]): ChunkCase[] => [
  { fault: 'check', bad: 0, ms: [] },
  ...faults.flatMap((fault) => BAD.map((bad): ChunkCase => ({ fault, bad, ms: [] }))),
];
