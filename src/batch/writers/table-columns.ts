import type { SqlClient } from '../../interfaces/sql.js';
import { BatchError } from '../model/batch-error.js';
import { selectColumns, type TableColumn } from './sql-item-writer.sql.js';

/** The columns of a table, read once. After a failure they are read again. */
export class TableColumns {
  private columns: Promise<readonly TableColumn[]> | undefined;

  constructor(private readonly table: string) {}

  /** Reads them again when they are needed next. */
  forget(): void {
    this.columns = undefined;
  }

  /** @throws BatchError NO_SUCH_TABLE, NO_SUCH_COLUMN */
  async named(names: readonly string[], tx: SqlClient): Promise<readonly TableColumn[]> {
    const columns = await this.all(tx);
    return names.map((name) => {
      const found = columns.find((column) => column.name === name);
      if (found !== undefined) return found;
      const known = columns.map((column) => column.name).join(', ');
      throw new BatchError('NO_SUCH_COLUMN', `Table "${this.table}" has no column "${name}". It has: ${known}.`);
    });
  }

  private all(tx: SqlClient): Promise<readonly TableColumn[]> {
    this.columns ??= this.read(tx).catch((error: unknown) => {
      this.columns = undefined;
      throw error;
    });
    return this.columns;
  }

  private async read(tx: SqlClient): Promise<readonly TableColumn[]> {
    const { rows } = await tx.query<TableColumn>(selectColumns(this.table));
    if (rows.length > 0) return rows;
    throw new BatchError(
      'NO_SUCH_TABLE',
      `There is no table "${this.table}". Write its schema and name as they are stored.`,
    );
  }
}
