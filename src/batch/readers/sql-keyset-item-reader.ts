import type { SqlDatabase } from '../../interfaces/sql.js';
import type { Awaitable } from '../awaitable.js';
import type { ItemReader, ItemStream } from '../chunk/item.js';
import { BatchError, InvalidJobDefinitionError } from '../model/batch-error.js';
import type { ExecutionContext } from '../model/execution-context.js';
import { toSqlDatabase, type SqlSource } from '../sql/to-sql-database.js';
import { countRows, KEY_COLUMN, selectPage, selectRowWithoutKey } from './sql-readers.sql.js';

export interface SqlKeysetItemReaderOptions {
  /** Names its part of the context. Default: `reader`. */
  name?: string;
  database: SqlSource;
  /** Columns, from and where. No order and no limit. Its parameters are `$1` and so on. */
  select: string;
  values?: readonly unknown[];
  /** Columns of `select`. Together they are unique, and none is null. The rows come in their order, ascending. */
  key: readonly string[];
  /** Rows of a page. Default: 1000. */
  fetchSize?: number;
  /** True: the rows are counted when the step opens, and the step says how far it is. It takes as long as a `count(*)`. Default: false. */
  countRows?: boolean;
}

type KeyedRow = Record<string, unknown> & { [KEY_COLUMN]: (string | null)[] };

/**
 * Reads rows page by page, each page after the last key of the one before it. It holds no transaction and no connection between pages, and
 * a restart seeks by the index of the key. Keys travel as texts, so no digit of them is lost. Rows that are added behind the last key
 * while it reads are read too.
 */
export class SqlKeysetItemReader<Row = Record<string, unknown>> implements ItemReader<NoInfer<Row>>, ItemStream {
  readonly name?: string;
  /** A page that could not be read is asked for again. */
  readonly repeatsFailedReads = true;
  private readonly database: SqlDatabase;
  private readonly fetchSize: number;
  private page: KeyedRow[] = [];
  private next = 0;
  private isLastPage = false;
  /** Of the row that was read last. */
  private last: readonly string[] | undefined;
  /** Rows that were given out, also before a restart, and all rows. Kept only where the rows are counted. */
  private given = 0;
  private total: number | undefined;

  constructor(private readonly options: SqlKeysetItemReaderOptions) {
    this.name = options.name;
    this.database = toSqlDatabase(options.database);
    this.fetchSize = options.fetchSize ?? 1000;
    if (options.key.length === 0) throw new InvalidJobDefinitionError('The reader by key needs a column of the key');
    if (!Number.isSafeInteger(this.fetchSize) || this.fetchSize < 1) {
      throw new InvalidJobDefinitionError(`fetchSize must be a whole number from 1, and is ${this.fetchSize}`);
    }
  }

  /** @throws BatchError READER_KEY_INVALID when a row has no key */
  async open(context: ExecutionContext): Promise<void> {
    this.last = context.get<readonly string[]>('key');
    this.page = [];
    this.next = 0;
    this.isLastPage = false;
    const { rows } = await this.database.query(selectRowWithoutKey(this.query));
    if (rows.length > 0) throw this.keyError('is null in a row');
    this.given = context.get<number>('given') ?? 0;
    if (this.options.countRows === true) this.total = this.given + (await this.countRemaining());
  }

  read(): Awaitable<NoInfer<Row> | null> {
    return this.next < this.page.length ? this.give() : this.readOn();
  }

  update(context: ExecutionContext): void {
    if (this.last !== undefined) context.put('key', this.last);
    if (this.total !== undefined) context.put('given', this.given);
  }

  progress(): number | undefined {
    return this.total === 0 ? 1 : this.total && this.given / this.total;
  }

  private get query() {
    const { select, values = [], key } = this.options;
    return { select, values, key };
  }

  private async countRemaining(): Promise<number> {
    const { rows } = await this.database.query<{ count: number }>(countRows(this.query, this.last));
    return rows[0]!.count;
  }

  private async readOn(): Promise<Row | null> {
    if (this.isLastPage) return null;
    // One row more shows that a key does not go on behind the page.
    const statement = selectPage(this.query, this.last, this.fetchSize + 1);
    const { rows } = await this.database.query<KeyedRow>(statement);
    this.checkKeys(rows);
    this.isLastPage = rows.length <= this.fetchSize;
    this.page = rows.slice(0, this.fetchSize);
    this.next = 0;
    return this.page.length === 0 ? null : this.give();
  }

  private checkKeys(rows: readonly KeyedRow[]): void {
    let before: string | undefined;
    for (const { [KEY_COLUMN]: key } of rows) {
      if (key.includes(null)) throw this.keyError('is null in a row');
      const text = JSON.stringify(key);
      if (text === before) throw this.keyError(`is ${text} in two rows`);
      before = text;
    }
  }

  private give(): Row {
    const { [KEY_COLUMN]: key, ...row } = this.page[this.next++]!;
    this.last = key as string[];
    this.given += 1;
    return row as Row;
  }

  private keyError(fault: string): BatchError {
    return new BatchError(
      'READER_KEY_INVALID',
      `The key (${this.options.key.join(', ')}) ${fault}, so rows would be left out. Name columns that are unique together and not null.`,
    );
  }
}
