import { createHash } from 'node:crypto';

/** The engine's tables with their schema, quoted, as statements name them. */
export interface BatchTables {
  readonly schema: string;
  readonly jobInstances: string;
  readonly jobExecutions: string;
  readonly stepExecutions: string;
  readonly skippedItems: string;
  readonly scheduledJobs: string;
  readonly schemaVersions: string;
  /** Sets the names of prepared statements apart from those of another schema on the same connection. */
  readonly statementPrefix: string;
}

/** @param name of the schema, as it is in the catalog: not quoted */
export function batchTables(name: string): BatchTables {
  const schema = `"${name.replaceAll('"', '""')}"`;
  return {
    schema,
    jobInstances: `${schema}.job_instances`,
    jobExecutions: `${schema}.job_executions`,
    stepExecutions: `${schema}.step_executions`,
    skippedItems: `${schema}.skipped_items`,
    scheduledJobs: `${schema}.scheduled_jobs`,
    schemaVersions: `${schema}.batch_schema_versions`,
    statementPrefix: `batch.${createHash('sha256').update(name).digest('hex').slice(0, 8)}`,
  };
}

/** The condition of the partial indexes. A query that uses one of them repeats it word by word. */
export const RUNNING = `('STARTING', 'STARTED', 'STOPPING')`;
