import type { SqlClient, SqlDatabase, SqlResult, SqlStatement } from '../../src/interfaces/sql.js';

/** Notes every statement. */
export class NotingDatabase implements SqlDatabase {
  readonly statements: SqlStatement[] = [];

  constructor(private readonly database: SqlDatabase) {}

  query<Row>(statement: SqlStatement): Promise<SqlResult<Row>> {
    return this.noting(this.database).query<Row>(statement);
  }

  transaction<T>(work: (tx: SqlClient) => Promise<T>): Promise<T> {
    return this.database.transaction((tx) => work(this.noting(tx)));
  }

  private noting(client: SqlClient): SqlClient {
    return {
      query: <Row>(statement: SqlStatement) => {
        this.statements.push(statement);
        return client.query<Row>(statement);
      },
    };
  }
}
