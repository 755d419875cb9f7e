import type pg from 'pg';
import { asSqlClient } from '../batch/sql/as-sql-client.js';
import type { SqlClient } from '../interfaces/sql.js';
import type { Settings } from '../services/config/settings.js';
import { RequestConnections } from '../services/database/request-connections.js';

/** One connection, used like those for the requests of callers: with a lock time-out. */
export function requestsOn(client: pg.Client, { execution }: Settings): RequestConnections {
  const sql = asSqlClient(client);
  const transaction = async <T>(work: (tx: SqlClient) => Promise<T>): Promise<T> => {
    await client.query('begin');
    // After an error the connection is closed, which rolls back.
    const result = await work(sql);
    await client.query('commit');
    return result;
  };
  return new RequestConnections({ ...sql, transaction }, { poolSize: 1, lockTimeoutMs: execution.lockTimeoutMs });
}
