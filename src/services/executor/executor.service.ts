import { Injectable } from '@nestjs/common';
import type { SqlClient } from '../database/sql.js';
import type { BoundOperation } from '../planner/bound-operation.js';
import type { Plan } from '../planner/plan.js';
import type { Outcome } from '../queue/operation-record.js';
import { PlanRun, type GroupExecution } from './plan-run.js';
import { TargetWriter } from './target.writer.js';

export interface Execution {
  /** One for each operation, in the given order. */
  outcomes: Outcome[];
  groups: number;
  /** The number of statements that were sent to target tables, including trial runs. */
  statements: number;
  /** True when a group failed and its operations had to be isolated. */
  fallback: boolean;
  /** In the order of `Plan.groups`. */
  perGroup: GroupExecution[];
}

/**
 * Executes a plan: as many groups as possible at once, or one after the other if one fails. It promises that an
 * operation is `failed` only because of what running it alone, at its place, showed. A fault that no operation caused
 * is thrown, and then the transaction must be rolled back. The planner plans, and the queue claims and settles.
 */
@Injectable()
export class ExecutorService {
  /** Executes several groups together where possible. */
  execute(tx: SqlClient, plan: Plan): Promise<Execution> {
    return this.run(new TargetWriter(tx), plan, (run) => run.quickly());
  }

  /**
   * Executes every group alone, in its own savepoint. With a plan of single operations this is the reference for all
   * other ways. No operation is executed twice, so where others use the server, the plan should have at most
   * `MAX_RELEASED_SAVEPOINTS` groups.
   */
  executeOneByOne(tx: SqlClient, plan: Plan): Promise<Execution> {
    return this.run(new TargetWriter(tx, Infinity), plan, (run) => run.oneByOne());
  }

  private async run(writer: TargetWriter, plan: Plan, work: (run: PlanRun) => Promise<void>): Promise<Execution> {
    const run = new PlanRun(writer, plan);
    // Otherwise a deferred constraint would fail at the commit, where no operation can be blamed.
    writer.command('set constraints all immediate');
    await work(run);
    await writer.finish();
    const { outcomes, perGroup } = run;
    return {
      outcomes: plan.operations.map((operation) => outcomeOf(outcomes, operation)),
      groups: plan.groups.length,
      statements: perGroup.reduce((sum, { statements }) => sum + statements, 0),
      fallback: perGroup.some(({ isolated }) => isolated),
      perGroup,
    };
  }
}

function outcomeOf(outcomes: ReadonlyMap<BoundOperation, Outcome>, operation: BoundOperation): Outcome {
  const outcome = outcomes.get(operation);
  if (outcome === undefined) throw new Error(`The plan has no group with operation ${operation.operation.id}`);
  return outcome;
}
