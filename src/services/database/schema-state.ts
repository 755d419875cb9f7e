import type { DataSource } from 'typeorm';
import { SCHEMA } from './data-source.js';
import { batchSchemaVersions } from '../../batch/repository/schema.js';
import { queriesOf } from './queries-of.js';
import { selectOutdatedFunctions } from './functions.sql.js';
import { isUndefinedTable } from './classify-failure.js';

/** How the schema of a database differs from the schema that this version needs. */
export interface SchemaState {
  /** Migrations that the database lacks, in order, and functions that it lacks or has in an older version. */
  missing: string[];
  /** Migrations that this version does not know. A newer version made them. */
  unknown: string[];
}

/** Reads the state and changes nothing. */
export async function readSchemaState(dataSource: DataSource): Promise<SchemaState> {
  const known = dataSource.migrations.map(({ name, constructor }) => name ?? constructor.name);
  const applied = await appliedMigrations(dataSource);
  const engine = await batchSchemaVersions(queriesOf(dataSource));
  return {
    missing: [
      ...known.filter((name) => !applied.includes(name)),
      ...(await outdatedFunctions(dataSource)),
      ...engineSteps(engine.database, engine.code),
    ],
    unknown: [...applied.filter((name) => !known.includes(name)), ...engineSteps(engine.code, engine.database)],
  };
}

/** Versions of the batch engine's tables after one, up to another. */
const engineSteps = (from: number, to: number): string[] =>
  Array.from({ length: Math.max(0, to - from) }, (_, index) => `batch engine ${from + index + 1}`);

async function outdatedFunctions(dataSource: DataSource): Promise<string[]> {
  const { text, values } = selectOutdatedFunctions();
  const rows = await dataSource.query<{ name: string }[]>(text, values);
  return rows.map(({ name }) => `function ${SCHEMA}.${name}`);
}

async function appliedMigrations(dataSource: DataSource): Promise<string[]> {
  try {
    const rows = await dataSource.query<{ name: string }[]>(`select name from ${SCHEMA}.migrations order by id`);
    return rows.map(({ name }) => name);
  } catch (error) {
    if (isUndefinedTable(error)) return [];
    throw error;
  }
}
