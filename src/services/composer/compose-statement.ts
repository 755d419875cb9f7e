import { composeSetStatement, type ComposedStatement } from '../../batch/composer/compose-set-statement.js';
import { givenKey, sentColumns, type OperationShape } from '../planner/operation-shape.js';

/**
 * Composes the one statement that executes operations of the same signature: same kind, table and columns. Its first
 * parameter has the sequence numbers of the operations. The second has rows that replace the stored ones, or is null:
 * see `encodeRow`. Pure.
 *
 * @param shape any operation of the signature
 */
export function composeStatement(shape: OperationShape): ComposedStatement {
  const { kind, table, keyColumns, valueColumns } = shape;
  const key = givenKey(shape)?.columns;
  return composeSetStatement(
    {
      kind,
      table: table.sql,
      keyColumns,
      valueColumns,
      sentColumns: sentColumns(shape),
      ...(key && { givenKey: key }),
    },
    SOURCE,
  );
}

/** See `operation-rows.ts`. */
const SOURCE = 'batch.operation_rows($1, $2) s';
