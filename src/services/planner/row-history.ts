import { mapInSteps, type Steps } from '../steps/steps.js';
import type { Column, Table, UniqueKey } from '../catalog/table.js';
import type { BoundOperation } from './bound-operation.js';
import type { ChunkView } from './chunk-view.js';
import { addHeld, heldAt, type HeldRow } from './held-rows.js';
import { changes } from './identity.js';
import { searchKey, searchName, type PrefetchedRows } from './read-set.js';
import { ANY_ROW, nameRows, type RowName } from './name-rows.js';
import { makesRow } from './operation-shape.js';
import { RowSearch, type Searching, type Write } from './row-search.js';
import { combinations, combine, textOf, UNKNOWN, type Value } from './value.js';

// The rows that operations may touch, and the values that a row may hold, can grow with the square of the number of
// operations. Beyond these limits an operation counts as touching any row, and a row as holding any value. The plan is
// still correct, but has more groups.
/** Values that the rows of one operation may hold in one key. */
const VALUES_FOLLOWED = 32;
/** Rows of an operation that finds them by another key, on average over the operations on a table. */
const ROWS_FOLLOWED = 16;
/** At least this number of rows is followed for all such operations on a table, however few they are. */
const LEAST_FOLLOWED = 1000;

/**
 * Which rows the operations on one table may touch, and what these rows may hold at any time during the chunk: what was
 * read of them, and everything that any operation of the chunk may write into them, in any order. Pure.
 */
export class RowHistory {
  /** True when the operations that find their rows by another key may touch too many rows to follow. */
  exceedsLimits = false;
  private readonly rows = new Map<string, HeldRow>();
  private readonly names = new Map<string, RowName>();
  private readonly touched = new Map<BoundOperation, readonly RowName[] | typeof ANY_ROW>();
  private readonly known: PrefetchedRows | undefined;
  /** The followed columns by name. `place` is the index of their values. */
  private readonly columns: ReadonlyMap<string, { column: Column; place: number }>;
  /** True when only the names of rows matter, and not what rows hold. */
  private readonly onlyNames: boolean;
  /** False when some operation may change any row. Then the rows that were read prove nothing. */
  private reliable: boolean;

  /** @param operations all operations of the chunk on this table, which has an identity */
  constructor(
    private readonly chunk: ChunkView,
    private readonly table: Table,
    private readonly identity: UniqueKey,
    private readonly operations: readonly BoundOperation[],
    disturbed: boolean,
  ) {
    this.known = chunk.readSet.tables.get(table.id);
    const columns = [...relevantColumns(table)];
    this.columns = new Map(columns.map((name, place) => [name, { column: table.columns.get(name)!, place }]));
    this.onlyNames =
      [...columns, ...table.exclusionRules.flatMap(({ depends }) => depends)].every((name) =>
        identity.columns.includes(name),
      ) &&
      operations.every((operation) => !changes(operation, identity.columns)) &&
      operations.every((operation) => (operation.namingKey ?? identity) === identity);
    this.reliable = !disturbed;
  }

  /** Must run before any other method is called. */
  *follow(): Steps<void> {
    this.addRowsRead();
    yield;
    for (const [index, operation] of this.operations.entries()) {
      this.addDirect(operation, index);
      yield;
    }
    if (this.mayDrawNamedRow()) this.reliable = false;
    yield* this.addNamedOtherwise();
  }

  /** The rows that an operation may touch. */
  rowsOf(operation: BoundOperation): readonly RowName[] | typeof ANY_ROW {
    return this.touched.get(operation) ?? ANY_ROW;
  }

  /**
   * Every value that these columns of the operation's rows may hold before it, or when only a part of it has been
   * written.
   */
  possible(operation: BoundOperation, columns: readonly string[], nullsNotDistinct = false): readonly Value[] {
    const named = this.namedColumns(operation);
    const values = columns.map((name) => (named.has(name) ? this.chunk.namedValue(operation, name) : undefined));
    return this.overRows(operation, columns, values, nullsNotDistinct);
  }

  /** Every value that these columns of the operation's rows may hold after it has written. */
  written(operation: BoundOperation, columns: readonly string[], nullsNotDistinct = false): readonly Value[] {
    const values = columns.map((name) => this.chunk.storedValue(operation, this.table.columns.get(name)!));
    return this.overRows(operation, columns, values, nullsNotDistinct);
  }

  /** @param given the values of columns whose values are known */
  private overRows(
    operation: BoundOperation,
    columns: readonly string[],
    given: readonly (Value | undefined)[],
    nullsNotDistinct: boolean,
  ): readonly Value[] {
    if (given.every((value) => value !== undefined)) return [combine(given, nullsNotDistinct)];
    const names = this.rowsOf(operation);
    if (names === ANY_ROW || !this.reliable) return [UNKNOWN];
    const values = new Map<string, Value>();
    for (const { text: rowName } of names) {
      const row = this.row(rowName);
      const held = columns.map((name, index) => {
        const value = given[index];
        return value === undefined ? this.valuesOf(row, name) : [value];
      });
      for (const value of combinations(held, nullsNotDistinct)) {
        const text = textOf(value);
        if (values.size === VALUES_FOLLOWED && !values.has(text)) return [UNKNOWN];
        values.set(text, value);
      }
    }
    return [...values.values()];
  }

  private valuesOf(row: HeldRow, column: string): readonly Value[] {
    if (!row.isKnown && !this.identity.columns.includes(column)) return [UNKNOWN];
    return this.held(row, column);
  }

  /** Nothing is known of columns outside all keys. Only conditions of the database look at those. */
  private held(row: HeldRow, column: string): readonly Value[] {
    const followed = this.columns.get(column);
    return followed === undefined ? [] : heldAt(row, followed.place);
  }

  /** The columns by which the operation finds its row. In these columns the row holds the named values. */
  private namedColumns(operation: BoundOperation): ReadonlySet<string> {
    return operation.kind === 'upsert' ? NO_COLUMNS : new Set(operation.keyColumns.map(({ name }) => name));
  }

  private addRowsRead(): void {
    if (this.known === undefined) return;
    const { columns, rows } = this.known;
    for (const texts of rows) {
      const values = columns.map((name, index) =>
        this.chunk.readValue(texts[index] ?? null, this.table.columns.get(name)!),
      );
      const identity = combine(
        this.identity.columns.map((name) => values[columns.indexOf(name)] ?? UNKNOWN),
        this.identity.nullsNotDistinct,
      );
      const name: RowName =
        identity.state === 'known' ? { text: identity.text, identity } : { text: `read ${JSON.stringify(texts)}` };
      if (identity.state === 'unknown') this.reliable = false;
      this.names.set(name.text, name);
      const row = this.row(name.text);
      row.isKnown = true;
      for (const [index, column] of columns.entries()) this.add(row, column, values[index]!);
    }
  }

  /** Adds rows that the operation names by their identity, or creates. */
  private addDirect(operation: BoundOperation, index: number): void {
    const names = nameRows(this.chunk, this.identity, operation, index);
    if (names === ANY_ROW) {
      this.reliable = false;
      return;
    }
    this.touched.set(operation, names);
    if (this.onlyNames) return;
    for (const name of names) this.addName(name, operation);
    this.write(operation, names);
  }

  private addName(name: RowName, operation: BoundOperation): void {
    const { text, identity } = name;
    this.names.set(text, name);
    const row = this.row(text);
    if (identity?.state !== 'known' || (operation.namingKey === this.identity && this.wasSearched(operation))) {
      row.isKnown = true;
    }
  }

  /** Adds what the operation may write into these rows. */
  private write(operation: BoundOperation, names: readonly RowName[]): void {
    if (names.length === 0) return;
    const writes = this.writesOf(operation);
    for (const { text, identity } of names) {
      const row = this.row(text);
      for (const { place, value } of writes) addHeld(row, place, value);
      if (identity?.state === 'known') this.addIdentity(row, operation);
    }
  }

  private writesOf(operation: BoundOperation): Write[] {
    const makes = makesRow(operation);
    const writes: Write[] = [];
    for (const [name, { column, place }] of this.columns) {
      const value = makes ? this.chunk.insertedValues(operation, [name])[0] : this.chunk.storedValue(operation, column);
      if (value !== undefined) writes.push({ place, value });
    }
    return writes;
  }

  private addIdentity(row: HeldRow, operation: BoundOperation): void {
    if (operation.namingKey !== this.identity) return;
    for (const name of this.identity.columns) this.add(row, name, this.chunk.namedValue(operation, name));
  }

  private add(row: HeldRow, column: string, value: Value): void {
    addHeld(row, this.columns.get(column)!.place, value);
  }

  /** If a row is named by a value that its sequence has not given yet, any insert of the chunk may draw this value. */
  private mayDrawNamedRow(): boolean {
    const names = [...this.touched.values()].flatMap((each) => (each === ANY_ROW ? [] : each));
    return (
      names.some(({ identity }) => identity?.state === 'generated') &&
      names.some(({ identity }) => identity?.state === 'known' && identity.mayBeGenerated)
    );
  }

  /** Makes the row at the first call. */
  private row(name: string): HeldRow {
    const known = this.rows.get(name);
    if (known !== undefined) return known;
    const row: HeldRow = { name, columns: [], held: new Set(), isKnown: false };
    this.rows.set(name, row);
    return row;
  }

  /** Adds operations that find their row by another key: each may touch every row that may hold that key. */
  private *addNamedOtherwise(): Steps<void> {
    const otherwise = this.operations.filter((operation) => {
      const key = operation.namingKey;
      return key !== undefined && key !== this.identity;
    });
    if (otherwise.length === 0) return;
    const searching = yield* mapInSteps(otherwise, (operation) => this.toSearching(operation));
    for (const each of searching) if (!this.isFindable(each)) this.reliable = false;
    if (this.reliable && !(yield* this.search(searching))) {
      this.exceedsLimits = true;
      this.reliable = false;
    }
    if (this.reliable) return;
    for (const operation of otherwise) this.touched.set(operation, ANY_ROW);
  }

  private toSearching(operation: BoundOperation): Searching {
    const key = operation.namingKey!;
    return { operation, key, sought: this.chunk.named(operation, key.columns), writes: this.writesOf(operation) };
  }

  private isFindable({ operation, sought }: Searching): boolean {
    return sought.state === 'known' && this.wasSearched(operation);
  }

  private wasSearched(operation: BoundOperation): boolean {
    return this.known?.searched.get(searchName(operation))?.has(searchKey(operation)) === true;
  }

  /** Returns false when the operations may touch too many rows to name all of them. */
  private *search(searching: readonly Searching[]): Steps<boolean> {
    let left = LEAST_FOLLOWED + ROWS_FOLLOWED * this.operations.length;
    const placesOf = ({ columns }: UniqueKey): number[] => columns.map((name) => this.columns.get(name)!.place);
    const search = new RowSearch(this.rows.values(), searching, placesOf, left);
    const ended = yield* search.run();
    for (const each of searching) {
      const names = this.namesFound(each, search.rowsOf(each), left);
      left -= names.length;
      this.touched.set(each.operation, names);
      yield;
    }
    return ended && left > 0;
  }

  /** At most `limit` names. */
  private namesFound({ operation }: Searching, rows: ReadonlySet<HeldRow>, limit: number): readonly RowName[] {
    const before = this.touched.get(operation);
    const names = new Map((before === undefined || before === ANY_ROW ? [] : before).map((name) => [name.text, name]));
    for (const { name } of rows) {
      if (names.size >= limit) break;
      if (!names.has(name)) names.set(name, this.names.get(name)!);
    }
    return [...names.values()];
  }
}

const NO_COLUMNS: ReadonlySet<string> = new Set();

/** The columns that the planner examines, because a key or a dependency uses them. */
export function relevantColumns(table: Table): ReadonlySet<string> {
  return new Set([
    ...table.uniqueKeys.flatMap(({ columns }) => columns),
    ...table.exclusionRules.flatMap(({ columns = [] }) => columns),
    ...table.foreignKeys.flatMap(({ childColumns }) => childColumns),
  ]);
}
