import type pg from 'pg';

export interface Checksum {
  rows: number;
  /** Of all columns of all rows, whatever their order. */
  sum: string;
}

export async function checksumOf(admin: pg.Pool, table: string): Promise<Checksum> {
  const { rows } = await admin.query<Checksum>(
    `select count(*)::int as rows, coalesce(sum(hashtextextended(t::text, 0)), 0)::text as sum from ${table} t`,
  );
  return rows[0]!;
}

/** @throws Error that names the difference */
export function assertChecksum(table: string, actual: Checksum, expected: Checksum): void {
  if (actual.rows !== expected.rows) {
    throw new Error(`${table} holds ${actual.rows} rows, not ${expected.rows}`);
  }
  if (actual.sum !== expected.sum) throw new Error(`${table} has the right number of rows, but not the right values`);
}
