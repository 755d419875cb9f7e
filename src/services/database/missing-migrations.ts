import type { DataSource } from 'typeorm';
import { SCHEMA } from './data-source.js';
import { sqlStateOf } from './sql-state.js';

const UNDEFINED_TABLE = '42P01';

/** The names of the migrations that this version needs and the database has not had, in their order. Changes nothing. */
export async function missingMigrations(dataSource: DataSource): Promise<string[]> {
  const applied = await appliedMigrations(dataSource);
  return dataSource.migrations
    .map(({ name, constructor }) => name ?? constructor.name)
    .filter((name) => !applied.has(name));
}

async function appliedMigrations(dataSource: DataSource): Promise<Set<string>> {
  try {
    const rows = await dataSource.query<{ name: string }[]>(`select name from ${SCHEMA}.migrations`);
    return new Set(rows.map(({ name }) => name));
  } catch (error) {
    if (sqlStateOf(error) === UNDEFINED_TABLE) return new Set();
    throw error;
  }
}
