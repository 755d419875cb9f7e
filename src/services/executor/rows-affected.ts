import type { ComposedStatement } from '../composer/compose-statement.js';
import type { SqlResult } from '../database/sql.js';
import { TransientError } from '../errors/transient-error.js';
import type { BoundOperation } from '../planner/bound-operation.js';

/** Reads from the result of a composed statement how many rows each of its operations changed. */
export function rowsAffected(
  answers: ComposedStatement['answers'],
  operations: readonly BoundOperation[],
  result: SqlResult<{ ord: number }>,
): number[] {
  return answers === 'every' ? rowsOfEvery(operations, result) : rowsByOrdinal(operations, result);
}

/**
 * Tables where a row may be suppressed (a trigger) or several rows are changed (inheritance) are opaque, so their
 * operations run one at a time.
 */
function rowsOfEvery(operations: readonly BoundOperation[], { rowCount }: SqlResult<unknown>): number[] {
  if (operations.length === 1) return [rowCount ?? 0];
  if (rowCount !== operations.length) throw new UnexpectedRowsError(operations, `${rowCount} rows changed`);
  return operations.map(() => 1);
}

function rowsByOrdinal(operations: readonly BoundOperation[], { rows }: SqlResult<{ ord: number }>): number[] {
  const affected = operations.map(() => 0);
  for (const { ord } of rows) affected[ord - 1] = (affected[ord - 1] ?? 0) + 1;
  if (operations.length > 1 && affected.some((count) => count > 1)) {
    throw new UnexpectedRowsError(operations, 'one of them changed several rows');
  }
  return affected;
}

/**
 * The catalog was wrong about a table. The result of the statement must not stay, nor that of later statements in the
 * same round trip. The chunk is tried again, with a new reading of the catalog and fewer operations. A single operation
 * may have any count.
 */
export class UnexpectedRowsError extends TransientError {
  constructor(operations: readonly BoundOperation[], what: string) {
    const { kind, table } = operations[0]!;
    super(`${operations.length} operations (${kind} of ${table.id}) had an unexpected result: ${what}`);
  }
}
