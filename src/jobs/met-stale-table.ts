import { mayBeStale } from '../services/database/classify-failure.js';
import { SQL_STATES } from '../services/database/sql-state.js';
import type { SqlClient, SqlStatement } from '../interfaces/sql.js';
import type { BoundOperation } from '../services/planner/bound-operation.js';
import { TransientError } from '../services/errors/transient-error.js';
import type { LeftOutcome, Outcome } from '../services/queue/operation-record.js';

/** The chunk has no outcomes: it is tried again, and the tables are read again. */
export class StaleCatalogError extends TransientError {
  constructor() {
    super('A statement cannot run; the table may have been altered since the catalog was read');
  }
}

/** With these states, a row is refused because of another row. The planner must know such constraints. */
const AMONG_ROWS: ReadonlySet<string> = new Set([
  SQL_STATES.uniqueViolation,
  SQL_STATES.exclusionViolation,
  SQL_STATES.foreignKeyViolation,
]);

interface Stranger {
  table: string;
  constraint: string;
}

/**
 * True when an outcome shows that a table was altered since the catalog was read. Either a statement cannot run, or a
 * constraint that the planner did not know has refused a row. Then the plan may have been wrong.
 */
export async function metStaleTable(
  tx: SqlClient,
  operations: readonly BoundOperation[],
  outcomes: readonly (Outcome | LeftOutcome)[],
): Promise<boolean> {
  const strangers = new Map<string, Stranger>();
  for (const [index, outcome] of outcomes.entries()) {
    if (outcome.status !== 'failed') continue;
    const { sqlState, constraint } = outcome.error;
    if (sqlState === undefined) continue;
    if (mayBeStale(sqlState)) return true;
    const { table } = operations[index]!;
    if (constraint === undefined || !AMONG_ROWS.has(sqlState) || isKnown(table, constraint)) continue;
    strangers.set(`${table.id} ${constraint}`, { table: table.sql, constraint });
  }
  if (strangers.size === 0) return false;
  // A partition may have its own constraints, and these are not constraints of the table.
  const { rows } = await tx.query<{ found: boolean }>(hasConstraint([...strangers.values()]));
  return rows[0]!.found;
}

function isKnown(
  { uniqueKeys, exclusionRules, foreignKeys, referencedBy }: BoundOperation['table'],
  constraint: string,
): boolean {
  return [uniqueKeys, exclusionRules, foreignKeys, referencedBy].some((known) =>
    known.some(({ name }) => name === constraint),
  );
}

/**
 * Whether one of the tables has the constraint or the index of this name, or a foreign key of this name refers to it.
 */
const hasConstraint = (strangers: readonly Stranger[]): SqlStatement => ({
  text: `
    select exists (
      select from unnest($1::text[], $2::text[]) given(table_name, name)
      where exists (
        select from pg_index x join pg_class i on i.oid = x.indexrelid
        where x.indrelid = to_regclass(given.table_name) and i.relname = given.name
      ) or exists (
        select from pg_constraint c
        where c.conname = given.name and to_regclass(given.table_name) in (c.conrelid, c.confrelid)
      )
    ) as found`,
  values: [strangers.map(({ table }) => table), strangers.map(({ constraint }) => constraint)],
});
