import type { ClientBase, QueryResult, QueryResultRow } from 'pg';
import type { SqlClient, SqlResult, SqlStatement } from '../../interfaces/sql.js';

/** A connection of node-postgres. Without its pipeline mode, statements are sent one after the other. */
export function asSqlClient(client: ClientBase): SqlClient {
  const send = (statement: SqlStatement): Promise<QueryResult<QueryResultRow>> =>
    client.query<QueryResultRow>(statement);
  const query = isPipelined(client) ? send : inTurn(send);
  return { query: async <Row>(statement: SqlStatement) => asSqlResult<Row>(await query(statement)) };
}

const isPipelined = (client: ClientBase): boolean => 'pipeline' in client && client.pipeline === true;

function inTurn<T>(send: (statement: SqlStatement) => Promise<T>): (statement: SqlStatement) => Promise<T> {
  let last: Promise<unknown> = Promise.resolve();
  return (statement) => {
    const answer = last.then(() => send(statement));
    last = answer.catch(() => undefined);
    return answer;
  };
}

export const asSqlResult = <Row>({ rows, rowCount, command }: QueryResult<QueryResultRow>): SqlResult<Row> => ({
  rows: rows as Row[],
  rowCount,
  command,
});
