import type { ComposedStatement } from '../../batch/composer/compose-set-statement.js';
import { encodeTexts, joinJsonTexts, jsonTexts } from '../../batch/sql/encode-texts.js';
import { answersOrdinals, type PlanAnswer } from '../../batch/sql/execute-plan.sql.js';
import { SQL_STATE_KINDS } from '../../batch/sql/sql-states.js';
import { composeStatement } from '../composer/compose-statement.js';
import { encodeRow } from '../composer/encode-row.js';
import type { PreparedNames } from '../database/prepared-names.js';
import type { SqlStatement } from '../../interfaces/sql.js';
import type { PlannedOperation } from '../planner/plan.js';
import { transactionBoundOf, type TransactionBound } from './transaction-bound.js';
import type { Steps } from '../steps/steps.js';

/** Operations that one statement executes, in the order of execution. */
export interface Step {
  signature: string;
  /** At least one. */
  operations: readonly PlannedOperation[];
  /** Rows that look bad, see `withSuspects`. They are executed alone. Absent when the rows were not examined. */
  suspects?: ReadonlySet<PlannedOperation>;
}

/** How one call of `batch.execute_plan` goes. */
export interface CallOptions {
  /** The maximum number of subtransactions that stay. Many in one transaction slow down the server's other sessions. */
  blocks: number;
  /** No statement begins after this time. In milliseconds. */
  budgetMs: number;
  /**
   * `oneByOne`: each row is executed alone from the start. `asOne`: all rows take effect, or none does. If none does,
   * no row has a verdict.
   */
  mode: 'grouped' | 'oneByOne' | 'asOne';
  /**
   * The share of rows that will probably be refused, from 0 to 1. Rows that look bad do not count. Only the size of the
   * first blocks depends on it.
   */
  expectedShare: number;
  /** What earlier calls in the transaction have left: `PlanAnswer.blocks` and `tainted`. */
  before: Pick<PlanAnswer, 'blocks' | 'tainted'>;
}

/**
 * A rule or trigger of the table may not work with a prepared statement. Kind `ignore` joins its new rows with given
 * rows. No index helps there, so the best plan depends on the number of rows.
 */
const mayBePrepared = ({ table, kind }: PlannedOperation): boolean => table.opaque === undefined && kind !== 'ignore';

/**
 * Composes the call that executes the steps. It pauses after each row.
 *
 * @param names of the statements that sessions keep
 */
export function* composeCall(
  steps: readonly Step[],
  names: PreparedNames,
  { blocks, budgetMs, mode, expectedShare, before }: CallOptions,
): Steps<SqlStatement> {
  const signatures = new Map<string, number>();
  const statements: (ComposedStatement & { name: string | null; bound: TransactionBound | null })[] = [];
  const seqs: number[] = [];
  const given: (string | null)[] = [];
  const texts: number[] = [];
  const suspects: number[] = [];
  for (const { signature, operations, suspects: suspected } of steps) {
    let text = signatures.get(signature);
    if (text === undefined) {
      const shape = operations[0]!;
      const composed = composeStatement(shape);
      text = statements.push({
        ...composed,
        name: mayBePrepared(shape) ? (names.nameOf(composed.text) ?? null) : null,
        bound: transactionBoundOf(shape),
      });
      signatures.set(signature, text);
    }
    texts.push(text);
    for (const operation of operations) {
      seqs.push(operation.operation.seq);
      given.push(operation.readsStoredRow ? null : encodeRow(operation));
      if (suspected?.has(operation) === true) suspects.push(seqs.length);
      yield;
    }
  }
  return {
    name: 'batch.execute_plan',
    text: `select batch.execute_plan($1, $2, $3, $4, $5, $6, $7, $8, $9, ${jsonTexts('$10')}::jsonb[], $11, $12, $13, $14, $15, $16, $17, $18, $19) as answer`,
    values: [
      encodeTexts(statements.map(({ text }) => text)),
      encodeTexts(statements.map(({ lone }) => lone ?? null)),
      statements.map(answersOrdinals),
      encodeTexts(statements.map(({ name }) => name)),
      JSON.stringify(statements.map(({ bound }) => bound)),
      texts,
      steps.map(({ operations }) => operations.length),
      steps.map(({ operations }) => operations.some(({ folded }) => folded !== undefined)),
      seqs,
      given.some((row) => row !== null) ? joinJsonTexts(given) : null,
      suspects,
      SQL_STATE_KINDS,
      mode === 'oneByOne',
      mode === 'asOne',
      blocks,
      `${budgetMs} ms`,
      expectedShare,
      before.blocks,
      before.tainted,
    ],
  };
}
