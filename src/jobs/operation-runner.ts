import type { Settings } from '../services/config/settings.js';
import type { SqlClient } from '../interfaces/sql.js';
import type { Execution, ExecutionLimits, ExecutorService } from '../services/executor/executor.service.js';
import { joinPlans, toChunkPlan, toUndonePlan } from '../services/explain/chunk-plan.js';
import { joinMembers, toMembers, type GroupMembers } from '../services/explain/group-members.js';
import type { BugsService } from '../services/health/bugs.service.js';
import type { BoundOperation } from '../services/planner/bound-operation.js';
import type { Plan } from '../services/planner/plan.js';
import { planByShape, planInSteps, planSerially } from '../services/planner/plan-operations.js';
import type { ChunkExecution, ChunkPlan, LeftOutcome, Outcome } from '../services/queue/operation-record.js';
import type { PhaseTimer } from '../services/queue/phase-timer.js';
import { inSlices } from '../services/steps/in-slices.js';
import { prefetch } from '../services/prefetch/prefetch.js';

/** What the row of the chunk stores about its execution. */
export type ExecutionSummary = Omit<ChunkExecution, 'worker' | 'startedAt' | 'timer'>;

export const NOTHING_EXECUTED: ExecutionSummary = { groups: 0, statements: 0, fallback: false };

const NO_MEMBERS: GroupMembers = new Map();

export interface Run {
  /** One for each operation, in the given order. */
  outcomes: readonly (Outcome | LeftOutcome)[];
  summary: ExecutionSummary;
}

/** Adds up two executions for the same chunk. */
export function inAll(one: ExecutionSummary, other: ExecutionSummary): ExecutionSummary {
  return {
    groups: one.groups + other.groups,
    statements: one.statements + other.statements,
    fallback: one.fallback || other.fallback,
    ...joinKept(one, other),
  };
}

function joinKept(one: ExecutionSummary, other: ExecutionSummary): Pick<ExecutionSummary, 'plan' | 'members'> {
  if (one.plan === undefined || one.members === undefined) return { plan: other.plan, members: other.members };
  if (other.plan === undefined || other.members === undefined) return { plan: one.plan, members: one.members };
  const plan = joinPlans(one.plan, other.plan);
  return { plan, members: joinMembers(one.members, other.members, one.plan.groups.length, plan.groups.length) };
}

/** What the row of the chunk keeps of an executed plan. */
function toKept(plan: Plan, mode: ChunkPlan['mode'], execution: Execution): Pick<ExecutionSummary, 'plan' | 'members'> {
  const kept = toChunkPlan(plan, mode, execution);
  return { plan: kept, members: toMembers(plan, kept.groups.length) };
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
    const execution =
      this.mode === 'serial'
        ? await this.executor.executeOneByOne(tx, plan, this.limits)
        : await this.executor.execute(tx, plan, this.limits);
    const { outcomes, groups, statements, fallback } = execution;
    return { outcomes, summary: { groups, statements, fallback, ...toKept(plan, this.mode, execution) } };
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
    const execution = await this.executor.executeAsOne(tx, plan, this.limits, sent);
    const { outcomes, statements } = execution;
    if (outcomes[0]!.status === 'left') {
      const undone = { plan: toUndonePlan(this.mode, execution.isolation), members: NO_MEMBERS };
      return { outcomes, summary: { groups: 0, statements, fallback: true, ...undone } };
    }
    const summary = { groups: plan.groups.length, statements, fallback: false };
    return { outcomes, summary: { ...summary, ...toKept(plan, this.mode, execution) } };
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
