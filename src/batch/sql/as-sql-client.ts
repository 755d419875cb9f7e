import type { ClientBase, QueryResult, QueryResultRow } from 'pg';
import type { SqlClient, SqlResult, SqlStatement } from '../../interfaces/sql.js';

/** A connection of node-postgres as the service uses it. */
export function asSqlClient(client: ClientBase): SqlClient {
  return {
    query: async <Row>(statement: SqlStatement) => asSqlResult<Row>(await client.query<QueryResultRow>(statement)),
  };
}

export const asSqlResult = <Row>({ rows, rowCount, command }: QueryResult<QueryResultRow>): SqlResult<Row> => ({
  rows: rows as Row[],
  rowCount,
  command,
});
