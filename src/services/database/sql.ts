/** A statement as node-postgres takes it. A `name` makes it a prepared statement of the connection. */
export interface SqlStatement {
  text: string;
  values?: unknown[];
  name?: string;
}

export interface SqlResult<Row> {
  rows: Row[];
  /** Rows returned or changed; null for commands without rows. */
  rowCount: number | null;
  /** The command tag, e.g. `INSERT` or `COMMIT`. */
  command: string;
}

/**
 * One connection, or the pool. Statements sent without awaiting the one before travel in one round trip (pipeline mode);
 * each still gets its own result.
 */
export interface SqlClient {
  query<Row = Record<string, unknown>>(statement: SqlStatement): Promise<SqlResult<Row>>;
}

/** A database, or the part of one that its user may take up. */
export interface SqlDatabase extends SqlClient {
  /** Runs `work` in one transaction and commits; any error rolls back. */
  transaction<T>(work: (tx: SqlClient) => Promise<T>): Promise<T>;
}
