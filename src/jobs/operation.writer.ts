import type { ItemContext, ItemWriter, WriteOutcome } from '../batch/item.js';
import { mayBeStale } from '../services/database/classify-failure.js';
import type { SqlClient } from '../services/database/sql.js';
import type { Settings } from '../services/config/settings.js';
import type { BugsService } from '../services/health/bugs.service.js';
import type { Execution, ExecutorService } from '../services/executor/executor.service.js';
import { toChunkPlan } from '../services/explain/chunk-plan.js';
import type { BoundOperation } from '../services/planner/bound-operation.js';
import type { Plan } from '../services/planner/plan.js';
import { planInSteps, planSerially } from '../services/planner/plan-operations.js';
import type { SurveyService } from '../services/survey/survey.service.js';
import { inSlices } from '../services/steps/in-slices.js';
import type { ChunkExecution, Outcome } from '../services/queue/operation-record.js';
import { OperationFailedError } from './operation-failed.error.js';
import { StaleCatalogError } from './stale-catalog.error.js';

/** What the chunk's row says about an execution. */
export type ExecutionSummary = Omit<ChunkExecution, 'worker' | 'startedAt'>;

export const NOTHING_EXECUTED: ExecutionSummary = { groups: 0, statements: 0, fallback: false };

/** Writes operations in as few statements as their plan allows, and reports the outcome of each. */
export class OperationWriter implements ItemWriter<BoundOperation, number, SqlClient> {
  readonly reportsOutcomes = true;
  /** How the latest chunk was executed. */
  execution = NOTHING_EXECUTED;

  constructor(
    private readonly mode: Settings['execution']['mode'],
    private readonly survey: SurveyService,
    private readonly executor: ExecutorService,
    private readonly bugs: Pick<BugsService, 'report'>,
    /** True when the operations are bound to the current tables, and not to remembered ones. */
    private readonly knowsTables: () => boolean,
  ) {}

  async write(operations: readonly BoundOperation[], { tx }: ItemContext<SqlClient>): Promise<WriteOutcome<number>[]> {
    const plan = await this.plan(tx, operations);
    const { outcomes, groups, statements, fallback, perGroup } = await this.execute(tx, plan);
    if (outcomes.some(isMaybeStale) && !this.knowsTables()) throw new StaleCatalogError();
    this.execution = { groups, statements, fallback, plan: toChunkPlan(plan, this.mode, perGroup) };
    return outcomes.map(toWriteOutcome);
  }

  private async plan(tx: SqlClient, operations: readonly BoundOperation[]): Promise<Plan> {
    if (this.mode === 'serial') return planSerially(operations);
    try {
      return await inSlices(planInSteps(operations, await this.survey.read(tx, operations)), {
        holdsTransaction: true,
      });
    } catch (error) {
      if (!this.bugs.report('plan', error)) throw error;
      // A bug of survey or planner must not stop the lane. Executing one by one is always correct.
      return planSerially(operations);
    }
  }

  private execute(tx: SqlClient, plan: Plan): Promise<Execution> {
    return this.mode === 'serial' ? this.executor.executeOneByOne(tx, plan) : this.executor.execute(tx, plan);
  }
}

function isMaybeStale(outcome: Outcome): boolean {
  return outcome.status === 'failed' && outcome.error.sqlState !== undefined && mayBeStale(outcome.error.sqlState);
}

function toWriteOutcome(outcome: Outcome): WriteOutcome<number> {
  return outcome.status === 'completed'
    ? { written: true, result: outcome.rowsAffected }
    : { written: false, error: new OperationFailedError(outcome.error) };
}
