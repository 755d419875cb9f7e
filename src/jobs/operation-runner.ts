import type { Settings } from '../services/config/settings.js';
import type { SqlClient } from '../interfaces/sql.js';
import type { ExecutionLimits, ExecutorService } from '../services/executor/executor.service.js';
import { joinPlans, toChunkPlan } from '../services/explain/chunk-plan.js';
import type { BugsService } from '../services/health/bugs.service.js';
import type { BoundOperation } from '../services/planner/bound-operation.js';
import type { Plan } from '../services/planner/plan.js';
import { planByShape, planInSteps, planSerially } from '../services/planner/plan-operations.js';
import type { ChunkExecution, LeftOutcome, Outcome } from '../services/queue/operation-record.js';
import type { PhaseTimer } from '../services/queue/phase-timer.js';
import { inSlices } from '../services/steps/in-slices.js';
import { prefetch } from '../services/prefetch/prefetch.js';

/** What the row of the chunk stores about its execution. */
export type ExecutionSummary = Omit<ChunkExecution, 'worker' | 'startedAt' | 'timer'>;

export const NOTHING_EXECUTED: ExecutionSummary = { groups: 0, statements: 0, fallback: false };

export interface Run {
  /** One for each operation, in the given order. */
  outcomes: readonly (Outcome | LeftOutcome)[];
  summary: ExecutionSummary;
}

/** Adds up two executions for the same chunk. */
export function inAll(one: ExecutionSummary, other: ExecutionSummary): ExecutionSummary {
  const plan = one.plan && other.plan ? joinPlans(one.plan, other.plan) : (one.plan ?? other.plan);
  return {
    groups: one.groups + other.groups,
    statements: one.statements + other.statements,
    fallback: one.fallback || other.fallback,
    ...(plan !== undefined && { plan }),
  };
}

/** Plans operations and executes the plan, in as few statements as possible, or one by one in mode `serial`. */
export class OperationRunner {
  constructor(
    private readonly mode: Settings['execution']['mode'],
    private readonly executor: ExecutorService,
    private readonly bugs: Pick<BugsService, 'report'>,
    private readonly limits?: ExecutionLimits,
  ) {}

  async run(tx: SqlClient, operations: readonly BoundOperation[], timer: PhaseTimer): Promise<Run> {
    const plan = await this.plan(tx, operations, timer);
    timer.begin('execute');
    const { outcomes, groups, statements, fallback, perGroup } =
      this.mode === 'serial'
        ? await this.executor.executeOneByOne(tx, plan, this.limits)
        : await this.executor.execute(tx, plan, this.limits);
    return { outcomes, summary: { groups, statements, fallback, plan: toChunkPlan(plan, this.mode, perGroup) } };
  }

  get mayLeaveUnread(): boolean {
    return this.mode === 'grouped' && this.executor.expectsSuccess;
  }

  /** Executes operations that were not read. Either all of them take effect, or all of them are left in the queue. */
  async runUnread(
    tx: SqlClient,
    operations: readonly BoundOperation[],
    timer: PhaseTimer,
    sent?: () => void,
  ): Promise<Run> {
    timer.begin('plan');
    const plan = planByShape(operations);
    timer.begin('execute');
    const { outcomes, statements, perGroup } = await this.executor.executeAsOne(tx, plan, this.limits, sent);
    if (outcomes[0]!.status === 'left') return { outcomes, summary: { groups: 0, statements, fallback: true } };
    const summary = { groups: plan.groups.length, statements, fallback: false };
    return { outcomes, summary: { ...summary, plan: toChunkPlan(plan, this.mode, perGroup) } };
  }

  private async plan(tx: SqlClient, operations: readonly BoundOperation[], timer: PhaseTimer): Promise<Plan> {
    timer.begin('plan');
    if (this.mode === 'serial') return planSerially(operations);
    try {
      timer.begin('read');
      const readSet = await prefetch(tx, operations);
      timer.begin('plan');
      return await inSlices(planInSteps(operations, readSet), { holdsTransaction: true });
    } catch (error) {
      if (!this.bugs.report('plan', error)) throw error;
      // A bug of prefetch or planner must not stop the lane, and one-by-one execution is always correct.
      return planSerially(operations);
    }
  }
}
