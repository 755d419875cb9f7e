import type { DataSource, QueryRunner } from 'typeorm';
import type { SqlClient, SqlStatement } from '../../interfaces/sql.js';

/** What TypeORM runs queries with, for code that knows node-postgres. TypeORM tells the rows of selects only. */
export function queriesOf(typeorm: Pick<DataSource | QueryRunner, 'query'>): SqlClient {
  return {
    async query<Row>({ text, values }: SqlStatement) {
      const rows = (await typeorm.query(text, values)) as Row[];
      return { rows, rowCount: null, command: '' };
    },
  };
}
