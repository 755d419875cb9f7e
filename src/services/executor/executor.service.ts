import { Injectable } from '@nestjs/common';
import type { SqlClient } from '../database/sql.js';
import type { BoundOperation } from '../planner/bound-operation.js';
import type { Plan } from '../planner/plan.js';
import type { Outcome } from '../queue/operation-record.js';
import { PlanRun, type GroupExecution } from './plan-run.js';
import { TargetWriter } from './target.writer.js';

export interface Execution {
  /** One for each operation, in the order given. */
  outcomes: Outcome[];
  groups: number;
  /** Statements sent to target tables, probes included. */
  statements: number;
  /** True when a group failed and its operations had to be isolated. */
  fallback: boolean;
  /** In the order of `Plan.groups`. */
  perGroup: GroupExecution[];
}

/**
 * Executes a plan: as many groups as possible at once, or one after the other where one fails. It promises that an operation
 * is `failed` only by what running it alone, at its place, gave; whatever is nobody's fault is thrown, and then the
 * transaction has to be rolled back. Planning is left to the planner, claiming and settling to the queue.
 */
@Injectable()
export class ExecutorService {
  /** Groups together where they can be. */
  execute(tx: SqlClient, plan: Plan): Promise<Execution> {
    return this.run(new TargetWriter(tx), plan, (run) => run.quickly());
  }

  /**
   * Every group by itself, in its own savepoint: with a plan of single operations, the measure of all others. No operation is
   * executed twice, so the plan should have no more groups than `MAX_RELEASED_SAVEPOINTS` where others use the server.
   */
  executeOneByOne(tx: SqlClient, plan: Plan): Promise<Execution> {
    return this.run(new TargetWriter(tx, Infinity), plan, (run) => run.oneByOne());
  }

  private async run(writer: TargetWriter, plan: Plan, work: (run: PlanRun) => Promise<void>): Promise<Execution> {
    const run = new PlanRun(writer, plan);
    // A deferred constraint would speak up at the commit, where nobody can be blamed.
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
