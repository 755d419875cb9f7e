import pg from 'pg';

const EXAMPLES = 10;

export interface TableComparison {
  table: string;
  rows: number;
  /** A few of the rows that only one side has. */
  differences: string[];
}

/** Compares a table of two schemas, row by row and column by column. */
export async function compareTable(
  client: pg.ClientBase,
  table: string,
  [left, right]: readonly [string, string],
): Promise<TableComparison> {
  const rowsOf = (schema: string): string =>
    `select to_json(t)::text as row from ${pg.escapeIdentifier(schema)}.${pg.escapeIdentifier(table)} t`;
  const { rows } = await client.query<{ side: string; row: string }>(
    `select $1::text as side, row from (${rowsOf(left)} except all ${rowsOf(right)}) l
     union all
     select $2::text, row from (${rowsOf(right)} except all ${rowsOf(left)}) r
     limit ${EXAMPLES}`,
    [left, right],
  );
  const counted = await client.query<{ count: number }>(`select count(*)::int from (${rowsOf(left)}) t`);
  return {
    table,
    rows: counted.rows[0]?.count ?? 0,
    differences: rows.map(({ side, row }) => `${table}: only in ${side}: ${row}`),
  };
}
