import type { SqlClient, SqlStatement } from '../../interfaces/sql.js';
import type { ItemContext, ItemStream, ItemWriter, WriteOutcome } from '../chunk/item.js';
import {
  composeSetStatement,
  type ComposedStatement,
  type StatementColumn,
} from '../composer/compose-set-statement.js';
import { BatchError, InvalidJobDefinitionError } from '../model/batch-error.js';
import { isRepeatedKey, isSystemicError } from '../sql/database-errors.js';
import type { PlanAnswer } from '../sql/execute-plan.sql.js';
import { inSavepoint } from '../sql/in-savepoint.js';
import { quoteName, quoteTable } from '../sql/quote-name.js';
import { refusedRow } from '../sql/refused-row.js';
import { batchSchemaOf } from '../sql/sql-transaction-manager.js';
import { encodeItem } from './encode-item.js';
import { encodeValue } from './encode-value.js';
import { ItemColumns, memberOf, type ItemColumnsOptions } from './item-columns.js';
import { executeAll, executeItems, isolatedRows, ROWS, type TableColumn } from './sql-item-writer.sql.js';
import { TableColumns } from './table-columns.js';

/** `update` of an upsert: the columns of a row that is there already. Default: all but the key. */
export type SqlWriteMode =
  'insert' | { upsert: readonly string[]; update?: readonly string[] } | { update: readonly string[] };

export interface SqlItemWriterOptions extends ItemColumnsOptions {
  /** `schema.table`, or `table`. */
  table: string;
  /** Default: `insert`. */
  mode?: SqlWriteMode;
  /** True: an item whose update matches no row is an error. Default: true. */
  assertUpdates?: boolean;
}

/** An update has found no row. It may be skipped. */
export class UpdateMatchedNoRowError extends BatchError {
  constructor(
    table: string,
    readonly key: Readonly<Record<string, unknown>>,
    count = 1,
  ) {
    const more = count > 1 ? `, and ${count - 1} more items of the chunk have none` : '';
    super('UPDATE_MATCHED_NO_ROW', `Table "${table}" has no row with the key ${describe(key)}${more}`);
  }
}

/**
 * Writes the items of a chunk to a table, in the chunk's transaction, with one statement. Only items with the same key need more: each
 * sees what the one before it has written. Values are cast to the types of their columns.
 *
 * Where the step may skip items, bad ones are isolated inside the database: one call writes all others, and says of each bad item why
 * PostgreSQL refuses it. Deferred constraints are then checked at once. This needs the engine's schema in the database of the chunk's
 * transaction, see `SqlTransactionManagerOptions`. Elsewhere it throws the database's error.
 */
export class SqlItemWriter<T extends object> implements ItemWriter<T, void, SqlClient>, ItemStream {
  private readonly key: readonly string[];
  private readonly members: ItemColumns;
  private readonly table: TableColumns;

  constructor(private readonly options: SqlItemWriterOptions) {
    const { mode = 'insert', table } = options;
    this.key = mode === 'insert' ? [] : 'upsert' in mode ? mode.upsert : mode.update;
    if (mode !== 'insert' && this.key.length === 0) {
      throw new InvalidJobDefinitionError(`The writer to "${table}" updates rows and names no column of their key`);
    }
    this.members = new ItemColumns(options, this.key);
    this.table = new TableColumns(table);
  }

  open(): void {
    this.members.forget();
    this.table.forget();
  }

  /** @throws BatchError NO_SUCH_TABLE, NO_SUCH_COLUMN, ITEM_COLUMNS_DIFFER; UpdateMatchedNoRowError; what PostgreSQL says */
  async write(
    items: readonly T[],
    { tx, reportingWriter }: ItemContext<SqlClient>,
  ): Promise<readonly WriteOutcome[] | void> {
    const [first] = items;
    if (first === undefined) return;
    const columns = await this.table.named(this.members.of(first), tx);
    const schema = reportingWriter === this ? batchSchemaOf(tx) : undefined;
    if (schema === undefined) return this.writeAll(items, columns, tx);
    return this.writeEach(items, columns, tx, quoteName(schema));
  }

  /** All items, or none. */
  private async writeAll(items: readonly T[], columns: readonly TableColumn[], tx: SqlClient): Promise<void> {
    const rows = items.map((item, index) => this.encode(item, index, columns));
    const statement = this.compose(columns, ROWS);
    for (const round of this.inRounds(items, [...items.keys()], columns)) {
      const changed = await this.writeRound(statement, pick(rows, round), tx);
      if (!this.assertsUpdates) continue;
      const missing = round.filter((_, place) => !changed.has(place + 1));
      if (missing.length > 0) throw this.noRowFor(items[missing[0]!]!, missing.length);
    }
  }

  /** Answers which rows have changed something, counted from 1. Of inserts it answers none. */
  private async writeRound(
    statement: ComposedStatement,
    rows: readonly string[],
    tx: SqlClient,
  ): Promise<ReadonlySet<number>> {
    const write = async (some: readonly string[]): Promise<number[]> => {
      const result = await tx.query<{ array_agg?: number[] | null }>(executeAll(statement, some));
      return result.rows[0]?.array_agg ?? [];
    };
    if (this.key.length === 0) return new Set(await write(rows));
    try {
      return new Set(await inSavepoint(tx, 'round', () => write(rows)));
    } catch (error) {
      if (!isRepeatedKey(error)) throw error;
    }
    // The same key in two spellings, such as 1 and 1.0: row by row, each sees what the one before it has written.
    const changed = new Set<number>();
    for (const [place, row] of rows.entries()) if ((await write([row])).length > 0) changed.add(place + 1);
    return changed;
  }

  /** Each item by itself. @param schema the engine's schema, quoted */
  private async writeEach(
    items: readonly T[],
    columns: readonly TableColumn[],
    tx: SqlClient,
    schema: string,
  ): Promise<readonly WriteOutcome[]> {
    const outcomes: WriteOutcome[] = items.map(() => WRITTEN);
    const rows = items.map((item, index) => {
      try {
        return this.encode(item, index, columns);
      } catch (error) {
        outcomes[index] = { written: false, error };
        return undefined;
      }
    });
    const encoded = [...items.keys()].filter((index) => rows[index] !== undefined);
    if (encoded.length === 0) return outcomes;
    const rounds = this.inRounds(items, encoded, columns);
    const order = rounds.flat();
    const sizes = rounds.map(({ length }) => length);
    const statement = this.compose(columns, isolatedRows(schema));
    const call = executeItems(schema, statement, sizes, pick(rows, order) as string[]);
    const { failures, otherRows, otherChanges } = await this.isolated(call, tx);
    for (const { from, to, error } of failures) {
      // Of several rows together: their statement does not run even without rows.
      if (to > from) throw this.statementRefused(refusedRow(error));
      outcomes[order[from - 1]!] = { written: false, error: refusedRow(error) };
    }
    if (!this.assertsUpdates) return outcomes;
    otherRows.forEach((row, place) => {
      const index = order[row - 1]!;
      if (otherChanges[place] === 0) outcomes[index] = { written: false, error: this.noRowFor(items[index]!) };
    });
    return outcomes;
  }

  private async isolated(call: SqlStatement, tx: SqlClient): Promise<PlanAnswer> {
    try {
      return (await tx.query<{ answer: PlanAnswer }>(call)).rows[0]!.answer;
    } catch (error) {
      throw isSystemicError(error) ? this.statementRefused(error) : error;
    }
  }

  /** No policy skips it: otherwise a step that skips much would be complete without a single row. */
  private statementRefused(cause: unknown): BatchError {
    const reason = cause instanceof Error ? cause.message : String(cause);
    return new BatchError('STATEMENT_REFUSED', `PostgreSQL cannot write to "${this.options.table}": ${reason}`, {
      cause,
    });
  }

  private get assertsUpdates(): boolean {
    const { mode = 'insert', assertUpdates = true } = this.options;
    return mode !== 'insert' && !('upsert' in mode) && assertUpdates;
  }

  private encode(item: T, index: number, columns: readonly TableColumn[]): string {
    this.members.check(item, index, columns);
    return encodeItem(item, columns);
  }

  private compose(columns: readonly TableColumn[], source: string): ComposedStatement {
    const { table, mode = 'insert' } = this.options;
    const sentColumns = columns.map(toStatementColumn);
    const keyColumns = sentColumns.slice(0, this.key.length);
    const shape = { table: quoteTable(table), keyColumns, sentColumns };
    if (mode === 'insert') {
      // Triggers and rules may change another number of rows.
      return {
        ...composeSetStatement({ ...shape, kind: 'insert', valueColumns: sentColumns }, source),
        answers: 'any',
      };
    }
    if ('upsert' in mode) {
      const updated = mode.update?.map((name) => this.updated(name, sentColumns));
      const upsert = { ...shape, kind: 'upsert', valueColumns: sentColumns, ...(updated && { updated }) } as const;
      return { ...composeSetStatement(upsert, source), answers: 'any' };
    }
    const valueColumns = sentColumns.slice(this.key.length);
    if (valueColumns.length === 0) {
      throw new InvalidJobDefinitionError(
        `The writer to "${table}" updates no column: the items have those of the key only`,
      );
    }
    const { text, answers } = composeSetStatement(
      { ...shape, kind: 'update', valueColumns, mayMatchSeveral: true },
      source,
    );
    return { text, answers };
  }

  private updated(name: string, columns: readonly StatementColumn[]): StatementColumn {
    const column = columns.find((each) => each.name === name);
    if (column !== undefined) return column;
    const written = columns.map((each) => each.name).join(', ');
    throw new BatchError('NO_SUCH_COLUMN', `"${name}" of "update" is none of the columns that are written: ${written}`);
  }

  /** Those with the same key go into different rounds, in their order: a statement writes a row once only. */
  private inRounds(items: readonly T[], indexes: readonly number[], columns: readonly TableColumn[]): number[][] {
    if (this.key.length === 0) return [[...indexes]];
    const keyColumns = columns.slice(0, this.key.length);
    const rounds: number[][] = [];
    const times = new Map<string, number>();
    for (const index of indexes) {
      const item = items[index]!;
      const key = JSON.stringify(keyColumns.map((column) => encodeValue(memberOf(item, column.name), column)));
      const round = times.get(key) ?? 0;
      times.set(key, round + 1);
      (rounds[round] ??= []).push(index);
    }
    return rounds;
  }

  private noRowFor(item: T, count?: number): UpdateMatchedNoRowError {
    const key = Object.fromEntries(this.key.map((name) => [name, memberOf(item, name)]));
    return new UpdateMatchedNoRowError(this.options.table, key, count);
  }
}

const WRITTEN: WriteOutcome = { written: true, result: undefined };

const pick = <V>(values: readonly V[], indexes: readonly number[]): V[] => indexes.map((index) => values[index]!);

const toStatementColumn = ({ name, type, storedType, isArray }: TableColumn): StatementColumn => ({
  ...{ name, type, storedType },
  equals: '=',
  kind: isArray ? 'array' : 'other',
});

const describe = (key: Readonly<Record<string, unknown>>): string =>
  Object.entries(key)
    .map(([name, value]) => `${name} = ${encodeValue(value, { isJson: false, isArray: false }) ?? 'null'}`)
    .join(', ');
