import type { Pool, QueryResultRow } from 'pg';
import type { SqlClient, SqlDatabase, SqlResult, SqlStatement } from '../../interfaces/sql.js';
import { asSqlClient, asSqlResult } from './as-sql-client.js';

/**
 * Gives out connections and transactions of a pool of node-postgres, with its own queries: named statements, pipelining, and results
 * as the driver returns them. It promises that a transaction is committed or rolled back, and that a broken connection never
 * returns to the pool. It leaves to its callers what to run.
 */
export class PoolDatabase implements SqlDatabase {
  constructor(protected readonly pool: Pool) {}

  /** Runs one statement in its own transaction. */
  async query<Row>(statement: SqlStatement): Promise<SqlResult<Row>> {
    return asSqlResult<Row>(await this.pool.query<QueryResultRow>(statement));
  }

  /**
   * Runs `work` in one transaction (read committed) and commits. Any error rolls back, also an error of the commit.
   *
   * @throws CommitRefusedError when a failed statement was overlooked and PostgreSQL turned the commit into a rollback.
   */
  async transaction<T>(work: (tx: SqlClient) => Promise<T>): Promise<T> {
    const client = await this.pool.connect();
    const sql = asSqlClient(client);
    let failure: Error | undefined;
    // The pool listens only for errors of idle connections. A connection in use also reports them through its queries.
    const ignoreReportedError = (): void => undefined;
    client.on('error', ignoreReportedError);
    try {
      // It travels with the first statement of `work`. That statement gets no answer before `begin` has succeeded, so
      // nothing runs outside a transaction.
      const begun = sql.query({ text: 'begin' });
      begun.catch(() => undefined);
      const result = await work(after(begun, sql));
      await begun;
      const { command } = await sql.query({ text: 'commit' });
      // After an overlooked error COMMIT succeeds, but with the tag ROLLBACK.
      if (command !== 'COMMIT') throw new CommitRefusedError();
      return result;
    } catch (error) {
      failure = await rollBack(sql, error);
      throw error;
    } finally {
      client.off('error', ignoreReportedError);
      client.release(failure);
    }
  }
}

/** PostgreSQL rolled back a transaction that should have been committed. Nothing of it is stored. */
export class CommitRefusedError extends Error {
  constructor() {
    super('PostgreSQL answered COMMIT with ROLLBACK: a statement of the transaction had failed');
    this.name = new.target.name;
  }
}

/** A client that gives no answer before `begun` has succeeded. This costs no round trip if `begun` was sent earlier. */
function after(begun: Promise<unknown>, client: SqlClient): SqlClient {
  return {
    query: async <Row>(statement: SqlStatement) => {
      const [result] = await Promise.all([client.query<Row>(statement), begun]);
      return result;
    },
    copy: async (text, rows) => {
      await Promise.all([client.copy!(text, rows), begun]);
    },
  };
}

/** Returns an error when the connection must not be used again. */
async function rollBack(sql: SqlClient, cause: unknown): Promise<Error | undefined> {
  try {
    await sql.query({ text: 'rollback' });
    return undefined;
  } catch (error) {
    // The first error says more than the failed rollback on a dead connection.
    return cause instanceof Error && !isSentByServer(cause) ? cause : (error as Error);
  }
}

/** Only errors that PostgreSQL has sent have a severity. */
const isSentByServer = (error: Error): boolean => 'severity' in error;
