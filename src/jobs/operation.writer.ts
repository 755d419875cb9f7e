import type { ItemContext, ItemWriter, WriteOutcome } from '../batch/item.js';
import type { SqlClient } from '../services/database/sql.js';
import type { Settings } from '../services/config/settings.js';
import type { Execution, ExecutorService } from '../services/executor/executor.service.js';
import type { BoundOperation } from '../services/planner/bound-operation.js';
import { planOperations, planSerially } from '../services/planner/plan-operations.js';
import type { SurveyService } from '../services/survey/survey.service.js';
import type { Outcome } from '../services/queue/operation-record.js';
import { OperationFailedError } from './operation-failed.error.js';

export const NOTHING_EXECUTED = { groups: 0, statements: 0, fallback: false };

/** Writes operations in as few statements as their plan allows, and tells the outcome of each. */
export class OperationWriter implements ItemWriter<BoundOperation, number, SqlClient> {
  readonly reportsOutcomes = true;
  /** How the latest chunk was executed. */
  execution: Omit<Execution, 'outcomes'> = NOTHING_EXECUTED;

  constructor(
    private readonly mode: Settings['execution']['mode'],
    private readonly survey: SurveyService,
    private readonly executor: ExecutorService,
  ) {}

  async write(operations: readonly BoundOperation[], { tx }: ItemContext<SqlClient>): Promise<WriteOutcome<number>[]> {
    const { outcomes, ...execution } = await this.execute(tx, operations);
    this.execution = execution;
    return outcomes.map(toWriteOutcome);
  }

  private async execute(tx: SqlClient, operations: readonly BoundOperation[]): Promise<Execution> {
    if (this.mode === 'serial') return this.executor.executeOneByOne(tx, planSerially(operations));
    const knowledge = await this.survey.read(tx, operations);
    return this.executor.execute(tx, planOperations(operations, knowledge));
  }
}

function toWriteOutcome(outcome: Outcome): WriteOutcome<number> {
  return outcome.status === 'completed'
    ? { written: true, result: outcome.rowsAffected }
    : { written: false, error: new OperationFailedError(outcome.error) };
}
