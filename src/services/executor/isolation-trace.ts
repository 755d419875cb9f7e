import type { IIsolationStep } from '../../interfaces/chunk.js';
import { MOST_TRIES, type BlockTry, type PlanAnswer } from '../../batch/sql/execute-plan.sql.js';
import type { IsolationTrace } from '../queue/operation-record.js';
import { originalsOf, type PlannedOperation } from '../planner/plan.js';

/** One call of the executor: what it executed, and what became of it. */
export interface IsolatedCall {
  steps: readonly { group: number; operations: readonly PlannedOperation[] }[];
  answer: Pick<PlanAnswer, 'executed' | 'tries' | 'omittedTries'>;
}

/**
 * What the calls for one plan have tried, in their order. Undefined when nothing failed. A step lies within the nearest
 * earlier step with a smaller depth: that one was undone, and its operations were tried again. Pure.
 */
export function toIsolationTrace(calls: readonly IsolatedCall[]): IsolationTrace | undefined {
  if (!calls.some(({ answer }) => answer.tries.some(({ state }) => state !== undefined))) return undefined;
  const steps: IIsolationStep[] = [];
  const undone: number[] = [];
  let omitted = 0;
  let before = 0;
  for (const { steps: executed, answer } of calls) {
    const scale = new Scale(executed, before);
    for (const step of answer.tries.flatMap((each) => toSteps(each, scale))) {
      while (undone.length > 0 && undone.at(-1)! < step.to) undone.pop();
      steps.push({ ...step, depth: undone.length });
      if (step.result === 'undone') undone.push(step.to);
    }
    omitted += answer.omittedTries;
    before = scale.placesBefore(answer.executed + 1);
  }
  return cut({ steps, omitted });
}

/** Joins the traces of two parts of a chunk. `operations` and `groups` are those of the first part. Pure. */
export function joinTraces(
  one: IsolationTrace | undefined,
  other: IsolationTrace | undefined,
  { operations, groups }: { operations: number; groups: number },
): IsolationTrace | undefined {
  if (other === undefined) return one;
  const moved = other.steps.map(({ group, from, to, ...step }) => ({
    ...(group !== undefined && { group: group + groups }),
    ...{ from: from + operations, to: to + operations },
    ...step,
  }));
  return cut({ steps: [...(one?.steps ?? []), ...moved], omitted: (one?.omitted ?? 0) + other.omitted });
}

function cut({ steps, omitted }: IsolationTrace): IsolationTrace {
  return { steps: steps.slice(0, MOST_TRIES), omitted: omitted + Math.max(0, steps.length - MOST_TRIES) };
}

/** A block that was undone by a failure of its first rows is two steps: the block, and the rows that were refused. */
function toSteps({ from, to, state, failedFrom, refusedTo }: BlockTry, scale: Scale): Omit<IIsolationStep, 'depth'>[] {
  if (state === undefined) return [{ group: scale.groupOf(from), ...scale.range(from, to), result: 'landed' }];
  const failed = { group: scale.groupOf(failedFrom ?? from), sqlState: state };
  const undone = { ...failed, ...scale.range(from, to), result: 'undone' } as const;
  if (refusedTo === undefined) return [undone];
  const refused = {
    ...failed,
    ...scale.range(from, refusedTo),
    ...scale.idOf(from, refusedTo),
    result: 'refused',
  } as const;
  return refusedTo === to ? [refused] : [undone, refused];
}

/** Translates the rows of a call into places of operations. */
class Scale {
  private readonly rows: { operation: PlannedOperation; group: number; place: number }[] = [];
  private readonly end: number;

  constructor(steps: IsolatedCall['steps'], before: number) {
    let place = before;
    for (const { group, operations } of steps) {
      for (const operation of operations) {
        this.rows.push({ operation, group, place });
        place += originalsOf(operation).length;
      }
    }
    this.end = place;
  }

  groupOf(row: number): number {
    return this.rows[row - 1]!.group;
  }

  /** How many operations come before a row, those of earlier calls included. */
  placesBefore(row: number): number {
    return this.rows[row - 1]?.place ?? this.end;
  }

  range(from: number, to: number): Pick<IIsolationStep, 'from' | 'to' | 'rows'> {
    return { from: this.placesBefore(from), to: this.placesBefore(to + 1) - 1, rows: to - from + 1 };
  }

  /** The id of a single operation. */
  idOf(from: number, to: number): Pick<IIsolationStep, 'operation'> {
    return from === to ? { operation: this.rows[from - 1]!.operation.operation.id } : {};
  }
}
