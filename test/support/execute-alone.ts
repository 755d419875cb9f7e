import { composeStatement } from '../../src/services/composer/compose-statement.js';
import { encodeRow } from '../../src/services/composer/encode-row.js';
import { classifyFailure } from '../../src/services/database/classify-failure.js';
import type { DatabaseErrorFields } from '../../src/batch/sql/database-errors.js';
import type { SqlClient, SqlResult, SqlStatement } from '../../src/interfaces/sql.js';
import { toOperationError, toOutcome } from '../../src/services/executor/to-operation-error.js';
import type { BoundOperation } from '../../src/services/planner/bound-operation.js';
import type { Outcome } from '../../src/services/queue/operation-record.js';

/** The statement of one operation. */
export function statementOf(operation: BoundOperation): SqlStatement {
  const { text, lone = text } = composeStatement(operation);
  return { text: lone, values: [[0], [encodeRow(operation)]] };
}

/**
 * The reference for every other way of executing: one operation after the other, each as a statement of its own behind a savepoint,
 * from Node.
 */
export async function executeAlone(tx: SqlClient, operations: readonly BoundOperation[]): Promise<Outcome[]> {
  const deferred = await initiallyDeferred(tx);
  const outcomes: Outcome[] = [];
  for (const operation of operations) {
    await tx.query({ text: 'savepoint alone' });
    try {
      const result = await tx.query<{ array_agg: number[] | null }>(statementOf(operation));
      // Where the operation's own transaction would end.
      await tx.query({ text: 'set constraints all immediate' });
      for (const name of deferred) await tx.query({ text: `set constraints ${name} deferred` });
      outcomes.push(toOutcome(operation, rowsChanged(operation, result)));
    } catch (error) {
      if (['transient', 'bug'].includes(classifyFailure(error))) throw error;
      await tx.query({ text: 'rollback to savepoint alone' });
      outcomes.push({ status: 'failed', error: toOperationError(error as DatabaseErrorFields, operation) });
    }
    await tx.query({ text: 'release savepoint alone' });
  }
  return outcomes;
}

async function initiallyDeferred(tx: SqlClient): Promise<string[]> {
  const { rows } = await tx.query<{ name: string }>({
    text: `select format('%I.%I', n.nspname, c.conname) as name
      from pg_constraint c join pg_namespace n on n.oid = c.connamespace where c.condeferred`,
  });
  return rows.map(({ name }) => name);
}

function rowsChanged(operation: BoundOperation, { rows, rowCount }: SqlResult<{ array_agg: number[] | null }>): number {
  const { answers, lone } = composeStatement(operation);
  return answers === 'ordinals' && lone === undefined ? (rows[0]!.array_agg?.length ?? 0) : rowCount!;
}
