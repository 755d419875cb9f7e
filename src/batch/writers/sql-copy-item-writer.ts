import type { SqlClient } from '../../interfaces/sql.js';
import type { ItemContext, ItemStream, ItemWriter, WriteOutcome } from '../chunk/item.js';
import { BatchError } from '../model/batch-error.js';
import { isDataError } from '../sql/database-errors.js';
import { inSavepoint } from '../sql/in-savepoint.js';
import { quoteName, quoteTable } from '../sql/quote-name.js';
import { encodeValue } from './encode-value.js';
import { ItemColumns, memberOf, type ItemColumnsOptions } from './item-columns.js';
import type { TableColumn } from './sql-item-writer.sql.js';
import { SqlItemWriter } from './sql-item-writer.js';
import { TableColumns } from './table-columns.js';

export interface SqlCopyItemWriterOptions extends ItemColumnsOptions {
  /** `schema.table`, or `table`. */
  table: string;
}

/**
 * Inserts the items of a chunk by COPY, in the chunk's transaction. It fits input that is nearly always good: a chunk that PostgreSQL
 * refuses is undone, and where the step may skip items, `SqlItemWriter` writes it. It needs chunks on connections of node-postgres, as
 * `PoolDatabase` and `BatchModule` give them. COPY does not apply rules, and takes values for columns that are generated always as
 * identity, which an insert refuses. PostgreSQL refuses COPY into views, and into tables with row level security.
 */
export class SqlCopyItemWriter<T extends object> implements ItemWriter<T, void, SqlClient>, ItemStream {
  private readonly members: ItemColumns;
  private readonly table: TableColumns;
  private readonly inserts: SqlItemWriter<T>;

  constructor(private readonly options: SqlCopyItemWriterOptions) {
    this.members = new ItemColumns(options);
    this.table = new TableColumns(options.table);
    this.inserts = new SqlItemWriter<T>(options);
  }

  open(): void {
    this.members.forget();
    this.table.forget();
    this.inserts.open();
  }

  /** @throws BatchError COPY_NOT_SUPPORTED, NO_SUCH_TABLE, NO_SUCH_COLUMN, ITEM_COLUMNS_DIFFER; what PostgreSQL says */
  async write(items: readonly T[], context: ItemContext<SqlClient>): Promise<readonly WriteOutcome[] | void> {
    if (items.length === 0) return;
    const { tx, reportingWriter } = context;
    if (reportingWriter !== this) return this.copy(items, tx);
    try {
      await inSavepoint(tx, 'copy', () => this.copy(items, tx));
    } catch (error) {
      if (!isOfItems(error)) throw error;
      return this.inserts.write(items, { ...context, reportingWriter: this.inserts });
    }
  }

  private async copy(items: readonly T[], tx: SqlClient): Promise<void> {
    const { table } = this.options;
    if (tx.copy === undefined) {
      throw new BatchError(
        'COPY_NOT_SUPPORTED',
        `The transaction of the chunk cannot copy rows to "${table}". Give BatchModule a pool of node-postgres, or write with SqlItemWriter.`,
      );
    }
    const columns = await this.table.named(this.members.of(items[0]!), tx);
    const rows = items.map((item, index) => {
      this.members.check(item, index, columns);
      return encodeRow(item, columns);
    });
    const names = columns.map(({ name }) => quoteName(name)).join(', ');
    await tx.copy(`copy ${quoteTable(table)} (${names}) from stdin`, [rows.join('')]);
  }
}

/** Errors that `SqlItemWriter` finds the item of. */
const isOfItems = (error: unknown): boolean =>
  isDataError(error) ||
  error instanceof RangeError ||
  (error instanceof BatchError && error.code === 'ITEM_COLUMNS_DIFFER');

/** A line in COPY's text format. */
function encodeRow(item: object, columns: readonly TableColumn[]): string {
  const cells = columns.map((column) => {
    const text = encodeValue(memberOf(item, column.name), column);
    if (text === null) return '\\N';
    return NEEDS_ESCAPE.test(text) ? text.replace(EVERY_ESCAPED, escape) : text;
  });
  return `${cells.join('\t')}\n`;
}

const NEEDS_ESCAPE = /[\\\t\n\r]/;
const EVERY_ESCAPED = /[\\\t\n\r]/g;
const ESCAPES: ReadonlyMap<string, string> = new Map([
  ['\\', '\\\\'],
  ['\t', '\\t'],
  ['\n', '\\n'],
  ['\r', '\\r'],
]);
const escape = (character: string): string => ESCAPES.get(character)!;
