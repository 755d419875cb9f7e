import { composeStatement, type ComposedStatement } from '../composer/compose-statement.js';
import { encodeRow } from '../composer/encode-row.js';
import { SQL_STATE_CLASSES, SQL_STATE_EXCEPTIONS } from '../database/classify-failure.js';
import { encodeTexts, joinJsonTexts, jsonTexts } from '../database/encode-texts.js';
import type { PreparedNames } from '../database/prepared-names.js';
import type { DatabaseErrorFields } from '../database/sql-state.js';
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

/** The error that a row was refused with. Its texts are cut, because PostgreSQL quotes values of any size. */
export interface RowError extends DatabaseErrorFields {
  /** The number of characters that are missing at the ends of `message` and `detail`. */
  unsent: number;
}

/** Rows are counted from 1, through all steps. */
export interface PlanAnswer {
  /** Rows up to this one have a verdict. */
  executed: number;
  /**
   * Null when every row has a verdict. `fold`: the next row stands for several operations and was refused. `blocks`,
   * `budget`: a limit was reached. `transaction`: the next row may have failed only because an earlier one took effect
   * in the same transaction, see `TransactionBound`. `as_one`: see `CallOptions.mode`.
   */
  stoppedBy: 'blocks' | 'budget' | 'fold' | 'transaction' | 'as_one' | null;
  /** The subtransactions that stay, those of earlier calls in the transaction included. */
  blocks: number;
  /** `TransactionBound.group` of the operations that have taken effect in the transaction. */
  tainted: string[];
  /** For each step: the number of statements that were sent, including those that were undone. */
  sent: number[];
  /** For each step: whether one of its statements failed, so that its operations were isolated. */
  isolated: boolean[];
  /** The rows that did not change exactly one row, and how many rows each of them changed. */
  otherRows: number[];
  otherChanges: number[];
  /** The number of refused rows that did not look bad. */
  unexpected: number;
  /** Rows that were refused, each alone, or all from one row to another because their statement cannot run. */
  failures: { from: number; to: number; error: RowError }[];
}

/**
 * A rule or trigger of the table may not work with a prepared statement. Kind `ignore` joins its new rows with given
 * rows. No index helps there, so the best plan depends on the number of rows.
 */
const mayBePrepared = ({ table, kind }: PlannedOperation): boolean => table.opaque === undefined && kind !== 'ignore';

const KINDS = JSON.stringify(Object.fromEntries([...SQL_STATE_CLASSES, ...SQL_STATE_EXCEPTIONS]));

/** The SQLSTATE with which `batch.execute_plan` reports that a statement changed a wrong number of rows. */
export const UNEXPECTED_ROWS = 'BS001';

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
      statements.map(({ answers }) => answers === 'ordinals'),
      encodeTexts(statements.map(({ name }) => name)),
      JSON.stringify(statements.map(({ bound }) => bound)),
      texts,
      steps.map(({ operations }) => operations.length),
      steps.map(({ operations }) => operations.some(({ folded }) => folded !== undefined)),
      seqs,
      given.some((row) => row !== null) ? joinJsonTexts(given) : null,
      suspects,
      KINDS,
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
