import { encodeValue } from '../composer/encode-value.js';
import { quoteIdentifier } from '../catalog/target-name.js';
import { parseTargetName, tableSql } from '../catalog/target-name.js';
import type { ForeignKey } from '../catalog/table.js';
import type { SqlStatement } from '../database/sql.js';
import { givenValue, type BoundOperation } from '../planner/bound-operation.js';

/**
 * The operations that refer to a row that does not exist, as `ord` from 1. Undefined where the operations do not show
 * what they will refer to.
 */
export function selectMissingParents(
  foreignKey: ForeignKey,
  operations: readonly BoundOperation[],
): SqlStatement | undefined {
  const { kind, valueColumns } = operations[0]!;
  const columns = foreignKey.childColumns.map((name) => valueColumns.find((column) => column.name === name));
  const given = columns.filter((column) => column !== undefined);
  const parent = parseTargetName(foreignKey.parent);
  if (kind === 'increment' || given.length < columns.length || parent === undefined) return undefined;
  const matches = given.map((column, index) => {
    const parentColumn = quoteIdentifier(foreignKey.parentColumns[index]!);
    return `p.${parentColumn} ${column.equals} s.v${index}::${column.type}`;
  });
  return {
    text: `select s.ord::int
from unnest(${given.map((_, index) => `$${index + 1}::text[]`).join(', ')}) with ordinality
  s(${given.map((_, index) => `v${index}`).join(', ')}, ord)
where ${given.map((_, index) => `s.v${index} is not null`).join(' and ')}
  and not exists (select from ${tableSql(parent)} p where ${matches.join(' and ')})
order by s.ord`,
    values: given.map((column) =>
      operations.map((operation) => encodeValue(givenValue(operation, column.name), column)),
    ),
  };
}
