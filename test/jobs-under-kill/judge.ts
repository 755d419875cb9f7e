import { isRunning } from '../../src/batch/model/batch-status.js';
import type { JobExecution } from '../../src/batch/model/job-execution.js';
import type { StepCounters } from '../../src/batch/model/step-counters.js';
import { expectedCounters, type Expected, type SourceRow } from './rows.js';

/** A skip that was told of, or stored. */
export interface NotedSkip {
  phase: string;
  line: number;
}

/** What is there when the instance is complete. */
export interface Evidence {
  /** Of the rows in the target table. */
  written: readonly number[];
  /** By the listener, in the chunk's transaction. */
  told: readonly NotedSkip[];
  /** By the engine, of all executions. */
  skipped: readonly NotedSkip[];
  /** Of the instance, the latest first. */
  executions: readonly Pick<JobExecution, 'id' | 'status' | 'interrupted'>[];
  /** Of all executions of the step. */
  steps: readonly StepCounters[];
}

/** Says what is wrong, each fault as a text. Nothing is wrong when the list is empty. */
export function judge(rows: readonly SourceRow[], chunkSize: number, evidence: Evidence): string[] {
  const good = rows.filter(({ fate }) => fate === 'written').map(({ line }) => line);
  const bad = rows.flatMap(({ fate, line }) => (fate.endsWith(' skip') ? [`${fate.split(' ')[0]!} ${line}`] : []));
  const nameOf = ({ phase, line }: NotedSkip): string => `${phase} ${line}`;
  return [
    ...compare('row', good.map(String), evidence.written.map(String)),
    ...compare('skip that the listener told', bad, evidence.told.map(nameOf)),
    ...compare('skip that the engine stored', bad, evidence.skipped.map(nameOf)),
    ...judgeCounters(expectedCounters(rows, chunkSize), evidence.steps),
    ...judgeExecutions(evidence.executions),
  ];
}

/** Each once. */
function compare(what: string, expected: readonly string[], found: readonly string[]): string[] {
  const times = new Map<string, number>();
  for (const name of found) times.set(name, (times.get(name) ?? 0) + 1);
  const wanted = new Set(expected);
  const lists: [string, string[]][] = [
    ['lost', expected.filter((name) => !times.has(name))],
    ['doubled', expected.filter((name) => (times.get(name) ?? 0) > 1)],
    ['wrong', [...times.keys()].filter((name) => !wanted.has(name))],
  ];
  return lists.filter(([, names]) => names.length > 0).map(([fault, names]) => `${fault} ${what}: ${few(names)}`);
}

const few = (names: readonly string[]): string =>
  `${names.slice(0, 5).join(', ')}${names.length > 5 ? ` and ${names.length - 5} more` : ''}`;

function judgeCounters(expected: Expected, steps: readonly StepCounters[]): string[] {
  return (Object.keys(expected) as (keyof Expected)[]).flatMap((name) => {
    const sum = steps.reduce((total, step) => total + step[name], 0);
    return sum === expected[name] ? [] : [`counter ${name}: ${sum} instead of ${expected[name]}`];
  });
}

function judgeExecutions([last, ...before]: Evidence['executions']): string[] {
  const faults: string[] = [];
  if (last?.status !== 'COMPLETED') faults.push(`execution: the last one is ${last?.status ?? 'missing'}`);
  for (const { id, status, interrupted } of before) {
    if (isRunning(status)) faults.push(`execution: ${id} still runs`);
    else if (status !== 'FAILED' || !interrupted) faults.push(`execution: ${id} is ${status} and was killed`);
  }
  return faults;
}
