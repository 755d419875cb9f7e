import type { SqlClient, SqlDatabase } from '../../interfaces/sql.js';
import type { Awaitable } from '../awaitable.js';
import type { ItemReader, ItemStream } from '../chunk/item.js';
import { InvalidJobDefinitionError } from '../model/batch-error.js';
import type { ExecutionContext } from '../model/execution-context.js';
import { toSqlDatabase, type SqlSource } from '../sql/to-sql-database.js';
import { countRows, declareCursor, fetchForward, moveForward, waitWithoutLimit } from './sql-readers.sql.js';

export interface SqlCursorItemReaderOptions {
  /** Names its part of the context. Default: `reader`. */
  name?: string;
  database: SqlSource;
  /** Any query. Its order must be unique, or a restart may leave rows out. Its parameters are `$1` and so on. */
  select: string;
  values?: readonly unknown[];
  /** Rows of a round trip. Default: 1000. */
  fetchSize?: number;
  /** True: the rows are counted when the step opens, and the step says how far it is. It takes as long as a `count(*)`. Default: false. */
  countRows?: boolean;
}

/**
 * Reads the rows of one query through a cursor of the server, in a transaction and on a connection of its own. So all rows are of one
 * moment, and chunks commit meanwhile. The transaction stays open as long as the step: PostgreSQL cannot vacuum what was deleted since.
 * Where that matters, or where a restart has to skip millions of rows, read by key instead.
 */
export class SqlCursorItemReader<Row = Record<string, unknown>> implements ItemReader<NoInfer<Row>>, ItemStream {
  readonly name?: string;
  private readonly fetchSize: number;
  private session: { tx: SqlClient; end: () => Promise<void> } | undefined;
  private rows: Row[] = [];
  private next = 0;
  private count = 0;
  private total: number | undefined;
  private ended = false;

  constructor(private readonly options: SqlCursorItemReaderOptions) {
    this.name = options.name;
    this.fetchSize = options.fetchSize ?? 1000;
    if (!Number.isSafeInteger(this.fetchSize) || this.fetchSize < 1) {
      throw new InvalidJobDefinitionError(`fetchSize must be a whole number from 1, and is ${this.fetchSize}`);
    }
  }

  async open(context: ExecutionContext): Promise<void> {
    this.rows = [];
    this.next = 0;
    this.ended = false;
    this.count = context.get<number>('count') ?? 0;
    const { database, select, values = [], countRows: counts = false } = this.options;
    this.session = await begin(toSqlDatabase(database));
    const { tx } = this.session;
    await tx.query(waitWithoutLimit());
    if (counts) this.total = (await tx.query<{ count: number }>(countRows({ select, values, key: [] }))).rows[0]!.count;
    await tx.query(declareCursor(select, values));
    if (this.count > 0) await tx.query(moveForward(this.count));
  }

  read(): Awaitable<NoInfer<Row> | null> {
    return this.next < this.rows.length ? this.give() : this.readOn();
  }

  update(context: ExecutionContext): void {
    context.put('count', this.count);
  }

  progress(): number | undefined {
    return this.total === 0 ? 1 : this.total && this.count / this.total;
  }

  async close(): Promise<void> {
    const { session } = this;
    this.session = undefined;
    await session?.end();
  }

  private async readOn(): Promise<Row | null> {
    if (this.ended) return null;
    if (this.session === undefined) throw new InvalidJobDefinitionError('The reader of a cursor is not open');
    const { rows } = await this.session.tx.query<Row>(fetchForward(this.fetchSize));
    this.rows = rows;
    this.next = 0;
    this.ended = rows.length === 0;
    return this.ended ? null : this.give();
  }

  private give(): Row {
    this.count += 1;
    return this.rows[this.next++]!;
  }
}

/** A transaction that stays open until `end`. */
async function begin(database: SqlDatabase): Promise<{ tx: SqlClient; end: () => Promise<void> }> {
  return new Promise((resolve, reject) => {
    let endWork: () => void = () => undefined;
    const work = new Promise<void>((done) => (endWork = done));
    const ended = database.transaction(async (tx) => {
      resolve({ tx, end });
      await work;
    });
    ended.catch(reject);
    async function end(): Promise<void> {
      endWork();
      // It has only read. An error of the connection was thrown by the read that met it.
      await ended.catch(() => undefined);
    }
  });
}
