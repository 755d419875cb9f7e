import { Injectable } from '@nestjs/common';
import { UNEXPECTED_ROWS, type PlanAnswer } from '../../batch/sql/execute-plan.sql.js';
import { sendAlong } from '../../batch/sql/send-along.js';
import { sqlStateOf } from '../database/sql-state.js';
import type { SqlClient } from '../../interfaces/sql.js';
import type { BoundOperation } from '../planner/bound-operation.js';
import { PreparedNames } from '../database/prepared-names.js';
import { TransientError } from '../errors/transient-error.js';
import { originalsOf, unfold, type Plan } from '../planner/plan.js';
import type { IsolationTrace, LeftOutcome, Outcome } from '../queue/operation-record.js';
import { inSlices } from '../steps/in-slices.js';
import { toIsolationTrace, type IsolatedCall } from './isolation-trace.js';
import { composeCall, type CallOptions, type Step } from './plan-call.js';
import { toOperationError, toOutcome } from './to-operation-error.js';
import { withSuspects } from './suspects.js';

export interface GroupExecution {
  /** The number of statements that were sent to target tables for its operations, including those that were undone. */
  statements: number;
  /** True when one of its statements failed, so that its operations were isolated. False for a single operation. */
  isolated: boolean;
}

export interface Execution {
  /** One for each operation, in the given order. */
  outcomes: (Outcome | LeftOutcome)[];
  groups: number;
  statements: number;
  /** True when a group failed and its operations had to be isolated. */
  fallback: boolean;
  /** In the order of `Plan.groups`. */
  perGroup: GroupExecution[];
  /** Absent when nothing failed. */
  isolation?: IsolationTrace;
}

export type ExecutionLimits = Pick<CallOptions, 'blocks' | 'budgetMs'>;

export const LIMITS: ExecutionLimits = { blocks: 500, budgetMs: 15_000 };

const LEFT: LeftOutcome = { status: 'left' };

/** A step and its group, an index into `Plan.groups`. */
interface GroupStep extends Step {
  group: number;
}

/**
 * Executes a plan inside PostgreSQL, in one call (`batch.execute_plan`). An operation is `failed` only if it also fails
 * alone, at its place in the order. A fault that no operation caused is thrown: roll back the transaction then. When a
 * limit is reached, the rest of the plan is left. The executed part has the same effect as one by one.
 */
@Injectable()
export class ExecutorService {
  private readonly names = new PreparedNames('batch.target', 200);
  /** `refused` counts all rows, `unexpected` only rows that did not look bad. */
  private readonly refused = new RefusedShare();
  private readonly unexpected = new RefusedShare();

  /** Executes several groups together where possible. */
  execute(tx: SqlClient, plan: Plan, limits = LIMITS): Promise<Execution> {
    return this.run(tx, plan, { ...limits, mode: 'grouped' });
  }

  /** True when nothing has been refused lately, so that a plan will probably succeed as a whole. */
  get expectsSuccess(): boolean {
    return this.refused.share === 0;
  }

  /**
   * Executes all groups, or none: then every operation is left.
   *
   * @param sent called when the plan was sent, so that other statements can share its round trip
   */
  async executeAsOne(tx: SqlClient, plan: Plan, limits = LIMITS, sent?: () => void): Promise<Execution> {
    const execution = await this.run(tx, plan, { ...limits, mode: 'asOne' }, sent);
    if (execution.outcomes[0]?.status === 'left') this.refused.expectSome();
    return execution;
  }

  /** Executes every operation alone, in its own subtransaction. No operation is executed twice. */
  executeOneByOne(tx: SqlClient, plan: Plan, limits = LIMITS): Promise<Execution> {
    return this.run(tx, plan, { ...limits, mode: 'oneByOne' });
  }

  private async run(
    tx: SqlClient,
    plan: Plan,
    limits: ExecutionLimits & Pick<CallOptions, 'mode'>,
    sent?: () => void,
  ): Promise<Execution> {
    // Otherwise a deferred constraint would fail at the commit, where no operation can be blamed.
    sendAlong(tx, { text: 'set constraints all immediate' });
    const outcomes = new Map<BoundOperation, Outcome>();
    const perGroup = plan.groups.map((): GroupExecution => ({ statements: 0, isolated: false }));
    let steps = plan.groups.map(({ signature, operations }, group): GroupStep => ({ signature, operations, group }));
    if (!this.expectsSuccess && limits.mode === 'grouped') steps = steps.map(withSuspects);
    let before: CallOptions['before'] = { blocks: 0, tainted: [] };
    const calls: IsolatedCall[] = [];
    while (steps.length > 0) {
      const answer = await this.call(tx, steps, { ...limits, expectedShare: this.unexpected.share, before }, sent);
      this.refused.note(answer.failures.filter(({ from, to }) => from === to).length, answer.executed);
      this.unexpected.note(answer.unexpected, answer.executed);
      before = answer;
      calls.push({ steps, answer });
      steps.forEach(({ group }, index) => {
        perGroup[group]!.statements += answer.sent[index]!;
        perGroup[group]!.isolated ||= answer.isolated[index]!;
      });
      keepVerdicts(outcomes, steps, answer);
      if (answer.stoppedBy !== 'fold') break;
      // A fold was refused. Later folds may be refused too, so the rest is executed without folds.
      steps = stepsAfter(steps, answer.executed).flatMap(({ group, suspects, ...step }) =>
        unfold(step).map((part) => ({ ...part, group, ...(suspects && { suspects }) })),
      );
    }
    const isolation = toIsolationTrace(calls);
    return {
      outcomes: plan.operations.map((operation) => outcomes.get(operation) ?? LEFT),
      groups: plan.groups.length,
      statements: perGroup.reduce((sum, { statements }) => sum + statements, 0),
      fallback: perGroup.some(({ isolated }) => isolated),
      perGroup,
      ...(isolation && { isolation }),
    };
  }

  private async call(
    tx: SqlClient,
    steps: readonly Step[],
    options: CallOptions,
    sent?: () => void,
  ): Promise<PlanAnswer> {
    const statement = await inSlices(composeCall(steps, this.names, options), { holdsTransaction: true });
    const answer = tx.query<{ answer: PlanAnswer }>(statement);
    sent?.();
    try {
      return (await answer).rows[0]!.answer;
    } catch (error) {
      throw sqlStateOf(error) === UNEXPECTED_ROWS ? new UnexpectedRowsError(error as Error) : error;
    }
  }
}

/** Older executions count half as much with each new one. */
const WEIGHT = 0.5;
/** A smaller share counts as 0, and the next plan is tried as a whole. */
const SMALLEST_SHARE = 1 / 2000;

/** The share of rows that were refused lately. Only the speed of the next execution depends on it. */
class RefusedShare {
  /** From 0 to 1. */
  share = 0;

  /** Some of the rows of a plan were refused. It is not known how many. */
  expectSome(): void {
    this.share = Math.max(this.share, 2 * SMALLEST_SHARE);
  }

  note(refused: number, executed: number): void {
    if (executed === 0) return;
    const share = this.share * (1 - WEIGHT) + (refused / executed) * WEIGHT;
    this.share = share < SMALLEST_SHARE ? 0 : share;
  }
}

/**
 * A statement for several operations changed more or fewer rows than the catalog promised. Its result must not stay.
 * The chunk is tried again with a newly read catalog and fewer operations. A single operation may change any number.
 */
class UnexpectedRowsError extends TransientError {
  constructor(cause: Error) {
    super(`A statement had an unexpected result: ${cause.message}`, { cause });
  }
}

function keepVerdicts(outcomes: Map<BoundOperation, Outcome>, steps: readonly Step[], answer: PlanAnswer): void {
  const { executed, otherRows, otherChanges, failures } = answer;
  const rows = steps.flatMap(({ operations }) => operations).slice(0, executed);
  const changes = new Map(otherRows.map((row, index) => [row, otherChanges[index]!]));
  for (const { from, to, error } of failures) {
    for (const row of rows.slice(from - 1, to)) {
      outcomes.set(row, { status: 'failed', error: toOperationError(error, row) });
    }
  }
  rows.forEach((row, index) => {
    if (outcomes.has(row)) return;
    for (const original of originalsOf(row)) outcomes.set(original, toOutcome(original, changes.get(index + 1) ?? 1));
  });
}

/** The steps without the first `executed` rows. */
function stepsAfter(steps: readonly GroupStep[], executed: number): GroupStep[] {
  let before = 0;
  return steps.flatMap((step) => {
    const operations = step.operations.slice(Math.max(0, executed - before));
    before += step.operations.length;
    return operations.length === 0 ? [] : [{ ...step, operations }];
  });
}
