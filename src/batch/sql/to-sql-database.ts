import type { Pool } from 'pg';
import type { SqlDatabase } from '../../interfaces/sql.js';
import { PoolDatabase } from './pool-database.js';

/** TypeORM's connection to PostgreSQL, as far as the engine uses it: its pool. */
export interface TypeOrmDataSource {
  readonly driver: object;
}

/** A pool of node-postgres, TypeORM's data source, or anything that keeps the promises of `SqlDatabase`. */
export type SqlSource = Pool | TypeOrmDataSource | SqlDatabase;

export function toSqlDatabase(source: SqlSource): SqlDatabase {
  // TypeORM's data source has the methods `query` and `transaction` too.
  if ('driver' in source) return new PoolDatabase((source.driver as { master: Pool }).master);
  if ('transaction' in source) return source;
  return new PoolDatabase(source);
}
