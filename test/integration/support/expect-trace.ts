import { expect } from 'vitest';
import { MOST_TRIES } from '../../../src/batch/sql/execute-plan.sql.js';
import type { Execution } from '../../../src/services/executor/executor.service.js';
import type { Plan } from '../../../src/services/planner/plan.js';

/** The trace of an execution tells of every operation what became of it, and of every failure how it was found. */
export function expectTraceFits({ operations, groups }: Plan, { outcomes, isolation }: Execution): void {
  const refusals = new Map<string, string>();
  outcomes.forEach((outcome, index) => {
    if (outcome.status !== 'failed' || outcome.error.sqlState === undefined) return;
    refusals.set(operations[index]!.operation.id, outcome.error.sqlState);
  });
  if (isolation === undefined) {
    expect(refusals.size).toBe(0);
    return;
  }
  const { steps, omitted } = isolation;
  expect(steps.length).toBeLessThanOrEqual(MOST_TRIES);
  expect(steps.some(({ result }) => result === 'undone' || result === 'refused')).toBe(true);
  let next = 0;
  for (const [index, { from, to, rows, result, depth, group, sqlState, operation }] of steps.entries()) {
    expect(from).toBe(next);
    expect(to).toBeGreaterThanOrEqual(from);
    expect(rows).toBeLessThanOrEqual(to - from + 1);
    expect(group).toBeLessThan(groups.length);
    // What was undone is tried again from its beginning.
    if (result !== 'undone') next = to + 1;
    expect(sqlState === undefined).toBe(result === 'landed');
    if (operation !== undefined) expect(sqlState).toBe(refusals.get(operation));
    if (depth === 0) continue;
    const parent = steps.slice(0, index).findLast((step) => step.depth === depth - 1)!;
    expect(parent.result).toBe('undone');
    expect([parent.from <= from, parent.to >= to]).toEqual([true, true]);
  }
  if (omitted > 0) return;
  expect(next).toBe(outcomes.filter(({ status }) => status !== 'left').length);
  const refused = steps.filter(({ result }) => result === 'refused');
  expect(refused.reduce((sum, { from, to }) => sum + to - from + 1, 0)).toBe(refusals.size);
}
