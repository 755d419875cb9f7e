import type { SqlClient, SqlDatabase } from '../../interfaces/sql.js';
import { BatchError } from '../model/batch-error.js';
import { batchTables, type BatchTables } from './batch-tables.js';
import {
  createSchema,
  createVersions,
  insertVersion,
  lockSchema,
  SCHEMA_STEPS,
  selectExisting,
  selectVersion,
} from './schema.sql.js';

/** The schema of the engine's tables unless another is named. */
export const DEFAULT_BATCH_SCHEMA = 'batch';

/**
 * Makes the engine's tables, or brings them up to this version of the code: all missing steps, or none. Callers at the same time wait
 * for one another. A role that may not create anything can call it when nothing is missing.
 *
 * @param schema created when it is missing; tables of others in it are left alone
 * @throws BatchError SCHEMA_TOO_NEW when a newer version of the code has made the tables
 */
export async function migrateBatchSchema(database: SqlDatabase, schema = DEFAULT_BATCH_SCHEMA): Promise<void> {
  const tables = batchTables(schema);
  await database.transaction(async (tx) => {
    await tx.query(lockSchema(tables));
    const version = await currentVersion(tx, tables);
    if (version > SCHEMA_STEPS.length) throw schemaTooNew(schema, version);
    for (let applied = version; applied < SCHEMA_STEPS.length; applied += 1) {
      for (const text of SCHEMA_STEPS[applied]!(tables)) await tx.query({ text });
      await tx.query(insertVersion(tables, applied + 1));
    }
  });
}

/** The versions of the engine's tables in a database, 0 when there are none, and in this code. Changes nothing. */
export async function batchSchemaVersions(
  client: SqlClient,
  schema = DEFAULT_BATCH_SCHEMA,
): Promise<{ database: number; code: number }> {
  const tables = batchTables(schema);
  const { rows } = await client.query<{ hasVersions: boolean }>(selectExisting(tables));
  const found = rows[0]!.hasVersions ? await client.query<{ version: number }>(selectVersion(tables)) : undefined;
  return { database: found?.rows[0]!.version ?? 0, code: SCHEMA_STEPS.length };
}

async function currentVersion(tx: SqlClient, tables: BatchTables): Promise<number> {
  const { rows } = await tx.query<{ hasSchema: boolean; hasVersions: boolean }>(selectExisting(tables));
  const { hasSchema, hasVersions } = rows[0]!;
  if (!hasSchema) await tx.query(createSchema(tables));
  if (!hasVersions) for (const statement of createVersions(tables)) await tx.query(statement);
  return (await tx.query<{ version: number }>(selectVersion(tables))).rows[0]!.version;
}

const schemaTooNew = (schema: string, version: number): BatchError =>
  new BatchError(
    'SCHEMA_TOO_NEW',
    `The batch tables in schema "${schema}" have version ${version}, and this code knows versions up to ${SCHEMA_STEPS.length}. ` +
      'Deploy the newer code, or use another schema.',
  );
