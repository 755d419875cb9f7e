import { Injectable, Logger } from '@nestjs/common';
import type { Pool, PoolClient, QueryResultRow } from 'pg';
import { DataSource } from 'typeorm';
import { TransientError } from '../errors/transient-error.js';
import { asSqlClient, asSqlResult } from './as-sql-client.js';
import { Listener } from './listener.js';
import { RequestConnections } from './request-connections.js';
import type { SqlClient, SqlDatabase, SqlResult, SqlStatement } from '../../interfaces/sql.js';
import { sqlStateOf } from './sql-state.js';

/**
 * Gives out connections and transactions of TypeORM's pool, with node-postgres' own queries: named statements,
 * pipelining, and results as the driver returns them. It promises that a transaction is committed or rolled back, and
 * that a broken connection never returns to the pool. It leaves to its callers what to run.
 */
@Injectable()
export class DatabaseService implements SqlDatabase {
  private readonly logger = new Logger(DatabaseService.name);
  private readonly pool: Pool;
  /** For requests of callers. Their number has no limit. */
  readonly requests: RequestConnections;

  constructor(dataSource: DataSource) {
    this.pool = (dataSource.driver as unknown as { master: Pool }).master;
    const { max, lock_timeout: lockTimeoutMs } = this.pool.options as { max: number; lock_timeout: number };
    this.requests = new RequestConnections(this, { poolSize: max, lockTimeoutMs });
    // An idle connection that breaks is replaced at the next use. Without a listener its error would end the process.
    this.pool.on('error', (error) => this.logger.warn(`An idle database connection broke: ${error.message}`));
  }

  /** Calls `heard` when a transaction that has notified this channel commits, and sometimes without need. */
  listen(channel: string, heard: () => void): Listener {
    return new Listener(this.pool.options, channel, heard);
  }

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
    let failure: Error | undefined;
    // The pool listens only for errors of idle connections. A connection in use also reports them through its queries.
    const ignoreReportedError = (): void => undefined;
    client.on('error', ignoreReportedError);
    try {
      // It travels with the first statement of `work`. That statement gets no answer before `begin` has succeeded, so
      // nothing runs outside a transaction.
      const begun = client.query('begin');
      begun.catch(() => undefined);
      const result = await work(after(begun, asSqlClient(client)));
      await begun;
      const { command } = await client.query('commit');
      // After an overlooked error COMMIT succeeds, but with the tag ROLLBACK.
      if (command !== 'COMMIT') throw new CommitRefusedError();
      return result;
    } catch (error) {
      failure = await rollBack(client, error);
      throw error;
    } finally {
      client.off('error', ignoreReportedError);
      client.release(failure);
    }
  }
}

/** PostgreSQL rolled back a transaction that should have been committed. Nothing of it is stored. */
export class CommitRefusedError extends TransientError {
  constructor() {
    super('PostgreSQL answered COMMIT with ROLLBACK: a statement of the transaction had failed');
  }
}

/** A client that gives no answer before `begun` has succeeded. This costs no round trip if `begun` was sent earlier. */
function after(begun: Promise<unknown>, client: SqlClient): SqlClient {
  return {
    query: async <Row>(statement: SqlStatement) => {
      const [result] = await Promise.all([client.query<Row>(statement), begun]);
      return result;
    },
  };
}

/** Returns an error when the connection must not be used again. */
async function rollBack(client: PoolClient, cause: unknown): Promise<Error | undefined> {
  try {
    await client.query('rollback');
    return undefined;
  } catch (error) {
    // The first error says more than the failed rollback on a dead connection.
    return cause instanceof Error && sqlStateOf(cause) === undefined ? cause : (error as Error);
  }
}
