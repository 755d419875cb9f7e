import type { ClientBase, QueryResult, QueryResultRow } from 'pg';
import type { SqlClient, SqlResult, SqlStatement } from '../../interfaces/sql.js';
import { copyIn } from './copy-in.js';

/** A connection of node-postgres. Without its pipeline mode, and behind a COPY, statements wait for the one before them. */
export function asSqlClient(client: ClientBase): SqlClient {
  const isPipelined = 'pipeline' in client && client.pipeline === true;
  let last: Promise<unknown> = Promise.resolve();
  let copied: Promise<unknown> | undefined;
  return {
    query<Row>(statement: SqlStatement) {
      const send = async () => asSqlResult<Row>(await client.query<QueryResultRow>(statement));
      const before = isPipelined ? copied : last;
      const answer = before === undefined ? send() : before.then(send);
      last = answer.catch(() => undefined);
      return answer;
    },
    copy(text, rows) {
      const answer = last.then(() => copyIn(client, text, rows));
      copied = last = answer.catch(() => undefined);
      return answer;
    },
  };
}

export const asSqlResult = <Row>({ rows, rowCount, command }: QueryResult<QueryResultRow>): SqlResult<Row> => ({
  rows: rows as Row[],
  rowCount,
  command,
});
