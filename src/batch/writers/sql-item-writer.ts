import type { SqlClient } from '../../interfaces/sql.js';
import type { ItemContext, ItemStream, ItemWriter } from '../chunk/item.js';
import { BatchError, InvalidJobDefinitionError } from '../model/batch-error.js';
import { encodeColumn, encodeValue } from './encode-column.js';
import {
  insertItems,
  selectColumnTypes,
  updateItems,
  upsertItems,
  type Batch,
  type ColumnType,
} from './sql-item-writer.sql.js';

/** `update` of an upsert: the columns of a row that is there already. Default: all but the key. */
export type SqlWriteMode =
  'insert' | { upsert: readonly string[]; update?: readonly string[] } | { update: readonly string[] };

export interface SqlItemWriterOptions {
  /** `schema.table`, or `table`. */
  table: string;
  /** Members of the items. Default: those of the first item; then all items must have the same. */
  columns?: readonly string[];
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
    count: number,
  ) {
    const more = count > 1 ? `, and ${count - 1} more items of the chunk have none` : '';
    super('UPDATE_MATCHED_NO_ROW', `Table "${table}" has no row with the key ${describe(key)}${more}`);
  }
}

/**
 * Writes the items of a chunk to a table, in the chunk's transaction, with one statement. Only items with the same key need more: each
 * sees what the one before it has written. Values are cast to the types of their columns. It throws the database's errors.
 */
export class SqlItemWriter<T extends object> implements ItemWriter<T, void, SqlClient>, ItemStream {
  private names: readonly string[] | undefined;
  private types: Promise<readonly ColumnType[]> | undefined;
  private readonly key: readonly string[];

  constructor(private readonly options: SqlItemWriterOptions) {
    const { mode = 'insert', columns, table } = options;
    this.names = columns;
    this.key = mode === 'insert' ? [] : 'upsert' in mode ? mode.upsert : mode.update;
    if (mode !== 'insert' && this.key.length === 0) {
      throw new InvalidJobDefinitionError(`The writer to "${table}" updates rows and names no column of their key`);
    }
  }

  open(): void {
    this.names = this.options.columns;
    this.types = undefined;
  }

  /** @throws BatchError NO_SUCH_TABLE, NO_SUCH_COLUMN, ITEM_COLUMNS_DIFFER; UpdateMatchedNoRowError; what PostgreSQL says */
  async write(items: readonly T[], { tx }: ItemContext<SqlClient>): Promise<void> {
    if (items.length === 0) return;
    const rows = items.map((item) => new Map<string, unknown>(Object.entries(item)));
    this.names ??= [...rows[0]!.keys()];
    for (const [index, row] of rows.entries()) this.checkColumns(row, index);
    const columns = await this.columns(tx);
    const rounds = this.key.length === 0 ? [rows] : inRounds(rows, (row) => this.keyText(row, columns));
    for (const round of rounds) await this.writeRound(round, columns, tx);
  }

  private checkColumns(row: ReadonlyMap<string, unknown>, index: number): void {
    const names = this.names!;
    const missing = [...names, ...this.key].filter((name) => !row.has(name));
    const more = this.options.columns === undefined ? [...row.keys()].filter((name) => !names.includes(name)) : [];
    if (missing.length + more.length === 0) return;
    const faults = [
      missing.length > 0 ? `has no ${missing.join(', ')}` : '',
      more.length > 0 ? `also has ${more.join(', ')}` : '',
    ].filter((fault) => fault !== '');
    throw new BatchError(
      'ITEM_COLUMNS_DIFFER',
      `Table "${this.options.table}" gets the columns ${names.join(', ')}, and item ${index + 1} of those written ${faults.join(' and ')}. ` +
        'Give all items the same members, or name the "columns" of the writer.',
    );
  }

  /** Those that are written, with their types. */
  private async columns(tx: SqlClient): Promise<readonly ColumnType[]> {
    const types = await this.columnTypes(tx);
    return [...new Set([...this.names!, ...this.key])].map((name) => {
      const type = types.find((column) => column.name === name);
      if (type !== undefined) return type;
      const known = types.map((column) => column.name).join(', ');
      throw new BatchError(
        'NO_SUCH_COLUMN',
        `Table "${this.options.table}" has no column "${name}". It has: ${known}.`,
      );
    });
  }

  private columnTypes(tx: SqlClient): Promise<readonly ColumnType[]> {
    this.types ??= this.readColumnTypes(tx).catch((error: unknown) => {
      this.types = undefined;
      throw error;
    });
    return this.types;
  }

  private async readColumnTypes(tx: SqlClient): Promise<readonly ColumnType[]> {
    const { table } = this.options;
    const { rows } = await tx.query<ColumnType>(selectColumnTypes(table));
    if (rows.length > 0) return rows;
    throw new BatchError(
      'NO_SUCH_TABLE',
      `There is no table "${table}". Write its schema and name as they are stored.`,
    );
  }

  private keyText(row: ReadonlyMap<string, unknown>, columns: readonly ColumnType[]): string {
    const types = columns.filter(({ name }) => this.key.includes(name));
    return JSON.stringify(types.map((type) => encodeValue(row.get(type.name), type)));
  }

  private async writeRound(rows: readonly Row[], columns: readonly ColumnType[], tx: SqlClient): Promise<void> {
    const { table, mode = 'insert', assertUpdates = true } = this.options;
    const arrays = columns.map((column) =>
      encodeColumn(
        rows.map((row) => row.get(column.name)),
        column,
      ),
    );
    const batch: Batch = { table, columns, arrays };
    if (mode === 'insert') {
      await tx.query(insertItems(batch));
    } else if ('upsert' in mode) {
      await tx.query(upsertItems(batch, this.key, mode.update ?? this.withoutKey(columns)));
    } else {
      const { rows: found } = await tx.query<{ position: number }>(updateItems(batch, this.key));
      if (assertUpdates) this.assertUpdated(rows, new Set(found.map(({ position }) => position)));
    }
  }

  private withoutKey(columns: readonly ColumnType[]): string[] {
    return columns.map(({ name }) => name).filter((name) => !this.key.includes(name));
  }

  private assertUpdated(rows: readonly Row[], found: ReadonlySet<number>): void {
    const missing = rows.filter((_, index) => !found.has(index + 1));
    if (missing[0] === undefined) return;
    const [row] = missing;
    const key = Object.fromEntries(this.key.map((name) => [name, row.get(name)]));
    throw new UpdateMatchedNoRowError(this.options.table, key, missing.length);
  }
}

type Row = ReadonlyMap<string, unknown>;

/** Rows with the same key go into different rounds, in their order: a statement writes a row once only. */
function inRounds(rows: readonly Row[], keyOf: (row: Row) => string): Row[][] {
  const rounds: Row[][] = [];
  const times = new Map<string, number>();
  for (const row of rows) {
    const key = keyOf(row);
    const round = times.get(key) ?? 0;
    times.set(key, round + 1);
    (rounds[round] ??= []).push(row);
  }
  return rounds;
}

const describe = (key: Readonly<Record<string, unknown>>): string =>
  Object.entries(key)
    .map(([name, value]) => `${name} = ${encodeValue(value, { isJson: false, isArray: false }) ?? 'null'}`)
    .join(', ');
