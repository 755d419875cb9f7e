import type { Pool, QueryResultRow } from 'pg';
import type { SqlClient, SqlDatabase, SqlResult, SqlStatement } from '../../src/interfaces/sql.js';
import { asSqlClient, asSqlResult } from '../../src/services/database/as-sql-client.js';

/** A pool of a test as the database of the engine. */
export class PoolDatabase implements SqlDatabase {
  constructor(private readonly pool: Pool) {}

  async query<Row>(statement: SqlStatement): Promise<SqlResult<Row>> {
    return asSqlResult<Row>(await this.pool.query<QueryResultRow>(statement));
  }

  async transaction<T>(work: (tx: SqlClient) => Promise<T>): Promise<T> {
    const client = await this.pool.connect();
    try {
      await client.query('begin');
      const result = await work(asSqlClient(client));
      await client.query('commit');
      return result;
    } catch (error) {
      await client.query('rollback');
      throw error;
    } finally {
      client.release();
    }
  }
}
