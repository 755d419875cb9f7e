/** A statement as node-postgres takes it. A `name` makes it a prepared statement of the connection. */
export interface SqlStatement {
  text: string;
  values?: unknown[];
  name?: string;
}

export interface SqlResult<Row> {
  rows: Row[];
  /** The number of rows returned or changed. Null for commands without rows. */
  rowCount: number | null;
  /** The command tag, for example `INSERT` or `COMMIT`. */
  command: string;
}

/**
 * One connection, or the pool. Statements that are sent without awaiting the previous one travel in one round trip
 * (pipeline mode). Each still gets its own result.
 */
export interface SqlClient {
  query<Row = Record<string, unknown>>(statement: SqlStatement): Promise<SqlResult<Row>>;
  /**
   * Runs `COPY … FROM STDIN` with these rows, in COPY's text format. It waits for the statements before it, and later ones wait
   * for it. Absent where rows cannot be sent so, as through the pool.
   */
  copy?(text: string, rows: Iterable<string>): Promise<void>;
}

/** A database, or the part of its connections that one user of it may take. */
export interface SqlDatabase extends SqlClient {
  /** Runs `work` in one transaction and commits. Any error rolls back. */
  transaction<T>(work: (tx: SqlClient) => Promise<T>): Promise<T>;
}
