import type pg from 'pg';
import { DATABASE_FUNCTIONS } from '../../src/entities/functions/database-functions.js';
import { createFunction } from '../../src/services/database/functions.sql.js';

/** For a database without the service's tables: the functions that execute chunks, for every role. */
export async function createFunctions(client: Pick<pg.Client, 'query'>): Promise<void> {
  await client.query('create schema if not exists batch');
  await client.query(`create table if not exists batch.operations (
    seq bigint generated always as identity primary key, id uuid, shape int, "values" jsonb not null, lane smallint,
    retry_limit smallint, retry_on text[])`);
  await client.query('create table if not exists batch.workers (name text, seen_at timestamptz)');
  for (const each of DATABASE_FUNCTIONS) await client.query(createFunction(each).text);
  await client.query(
    'grant usage on schema batch to public; grant execute on all functions in schema batch to public; grant select on batch.operations to public',
  );
}
