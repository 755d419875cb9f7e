import { Logger } from '@nestjs/common';
import type { ItemContext, ItemWriter, WriteOutcome } from '../batch/item.js';
import type { SqlClient } from '../services/database/sql.js';
import type { Settings } from '../services/config/settings.js';
import type { Execution, ExecutorService } from '../services/executor/executor.service.js';
import { toChunkPlan } from '../services/explain/chunk-plan.js';
import type { BoundOperation } from '../services/planner/bound-operation.js';
import type { Plan } from '../services/planner/plan.js';
import { planOperations, planSerially } from '../services/planner/plan-operations.js';
import type { SurveyService } from '../services/survey/survey.service.js';
import type { ChunkExecution, Outcome } from '../services/queue/operation-record.js';
import { OperationFailedError } from './operation-failed.error.js';
import { StaleCatalogError } from './stale-catalog.error.js';

/** What the chunk's row tells of an execution. */
export type ExecutionSummary = Omit<ChunkExecution, 'worker' | 'startedAt'>;

export const NOTHING_EXECUTED: ExecutionSummary = { groups: 0, statements: 0, fallback: false };

/** Writes operations in as few statements as their plan allows, and tells the outcome of each. */
export class OperationWriter implements ItemWriter<BoundOperation, number, SqlClient> {
  readonly reportsOutcomes = true;
  private readonly logger = new Logger(OperationWriter.name);
  /** How the latest chunk was executed. */
  execution = NOTHING_EXECUTED;

  constructor(
    private readonly mode: Settings['execution']['mode'],
    private readonly survey: SurveyService,
    private readonly executor: ExecutorService,
    /** True when the operations are bound to tables as they are now, and not as they were remembered. */
    private readonly knowsTables: () => boolean,
  ) {}

  async write(operations: readonly BoundOperation[], { tx }: ItemContext<SqlClient>): Promise<WriteOutcome<number>[]> {
    const plan = await this.plan(tx, operations);
    const { outcomes, groups, statements, fallback, perGroup } = await this.execute(tx, plan);
    if (outcomes.some(mayBeStale) && !this.knowsTables()) throw new StaleCatalogError();
    this.execution = { groups, statements, fallback, plan: toChunkPlan(plan, this.mode, perGroup) };
    return outcomes.map(toWriteOutcome);
  }

  private async plan(tx: SqlClient, operations: readonly BoundOperation[]): Promise<Plan> {
    if (this.mode === 'serial') return planSerially(operations);
    const knowledge = await this.survey.read(tx, operations);
    try {
      return planOperations(operations, knowledge);
    } catch (error) {
      // A fault of the planner must not stop the lane: one by one is always right.
      this.logger.error({ message: 'Operations could not be planned; executed one by one', err: error as Error });
      return planSerially(operations);
    }
  }

  private execute(tx: SqlClient, plan: Plan): Promise<Execution> {
    return this.mode === 'serial' ? this.executor.executeOneByOne(tx, plan) : this.executor.execute(tx, plan);
  }
}

/** Statements that cannot run may have been made for a table that is another by now. Privileges are not remembered. */
const CANNOT_RUN = /^(?:42(?!501)|0A)/;

function mayBeStale(outcome: Outcome): boolean {
  return outcome.status === 'failed' && CANNOT_RUN.test(outcome.error.sqlState ?? '');
}

function toWriteOutcome(outcome: Outcome): WriteOutcome<number> {
  return outcome.status === 'completed'
    ? { written: true, result: outcome.rowsAffected }
    : { written: false, error: new OperationFailedError(outcome.error) };
}
