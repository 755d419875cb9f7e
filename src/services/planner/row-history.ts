import type { Table, UniqueKey } from '../catalog/table.js';
import type { BoundOperation } from './bound-operation.js';
import type { ChunkView } from './chunk-view.js';
import { namingKey } from './identity.js';
import { searchKey, searchName, type KnownRows } from './knowledge.js';
import { combinations, combine, UNKNOWN, type KnownValue, type Value } from './value.js';

/** A row as the operations of a chunk name it: by its identity, or by the insert that draws one. */
export interface RowName {
  text: string;
  /** Absent for a row whose identity is NULL. */
  identity?: KnownValue | { state: 'fresh' };
}

/** Operations on this table whose row only the database can tell. */
export const ANY_ROW = 'any row';

/**
 * Which rows the operations on one table may touch, and what these rows may hold at any time during the chunk: what was read
 * of them, and whatever any operation of the chunk may write into them, in whatever order. Pure.
 */
export class RowHistory {
  private readonly rows = new Map<string, Row>();
  private readonly touched = new Map<BoundOperation, readonly RowName[] | typeof ANY_ROW>();
  private readonly known: KnownRows | undefined;
  private readonly columns: readonly string[];
  /** True when nobody asks what rows hold, since all that matters is their names. */
  private readonly onlyNames: boolean;
  /** False when some operation may change any row: then what was read says nothing. */
  private reliable = true;

  /** @param operations all of the chunk on this table, which has an identity */
  constructor(
    private readonly chunk: ChunkView,
    private readonly table: Table,
    private readonly identity: UniqueKey,
    private readonly operations: readonly BoundOperation[],
    disturbed: boolean,
  ) {
    this.known = chunk.knowledge.tables.get(table.id);
    this.columns = [...relevantColumns(table)];
    this.onlyNames =
      [...this.columns, ...table.watches.flatMap(({ depends }) => depends)].every((name) =>
        identity.columns.includes(name),
      ) &&
      operations.every((operation) => !changes(operation, identity.columns)) &&
      operations.every((operation) => (namingKey(operation) ?? identity) === identity);
    this.addRowsRead();
    for (const [index, operation] of operations.entries()) this.addDirect(operation, index);
    if (disturbed) this.reliable = false;
    this.joinDrawn();
    this.addNamedOtherwise();
  }

  /** The rows that an operation may touch. */
  rowsOf(operation: BoundOperation): readonly RowName[] | typeof ANY_ROW {
    return this.touched.get(operation) ?? ANY_ROW;
  }

  /** Every value that these columns of the operation's rows may hold before it, or after a part of it was set. */
  possible(operation: BoundOperation, columns: readonly string[], nullsNotDistinct = false): readonly Value[] {
    const named = this.namedColumns(operation);
    if (columns.every((name) => named.has(name))) {
      return [
        combine(
          columns.map((name) => this.chunk.namedValue(operation, name)),
          nullsNotDistinct,
        ),
      ];
    }
    return this.overRows(operation, (row) =>
      combinations(
        columns.map((name) => (named.has(name) ? [this.chunk.namedValue(operation, name)] : this.valuesOf(row, name))),
        nullsNotDistinct,
      ),
    );
  }

  /** Every value that these columns of the operation's rows may hold once it has written. */
  written(operation: BoundOperation, columns: readonly string[], nullsNotDistinct = false): readonly Value[] {
    const given = columns.map((name) => this.chunk.storedValue(operation, this.table.columns.get(name)!));
    if (given.every((value) => value !== undefined)) return [combine(given, nullsNotDistinct)];
    return this.overRows(operation, (row) =>
      combinations(
        columns.map((name, index) => (given[index] === undefined ? this.valuesOf(row, name) : [given[index]])),
        nullsNotDistinct,
      ),
    );
  }

  private overRows(operation: BoundOperation, valuesOf: (row: Row) => readonly Value[]): readonly Value[] {
    const rows = this.rowsOf(operation);
    if (rows === ANY_ROW || !this.reliable) return [UNKNOWN];
    if (rows.length === 1) return valuesOf(this.rows.get(rows[0]!.text)!);
    const values = new Map<string, Value>();
    for (const { text } of rows) for (const value of valuesOf(this.rows.get(text)!)) values.set(textOf(value), value);
    return [...values.values()];
  }

  private valuesOf(row: Row, column: string): readonly Value[] {
    if (!row.complete && !this.identity.columns.includes(column)) return [UNKNOWN];
    return this.held(row, column);
  }

  private held(row: Row, column: string): readonly Value[] {
    return row.values[this.columns.indexOf(column)] ?? [];
  }

  /** The columns by which the operation finds its row: there, the row holds what it names. */
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
      const name = identity.state === 'known' ? { text: identity.text } : { text: `read ${JSON.stringify(texts)}` };
      if (identity.state === 'unknown') this.reliable = false;
      const row = this.row(name.text);
      row.complete = true;
      if (this.chunk.applies('old values')) columns.forEach((column, index) => this.add(row, column, values[index]!));
    }
  }

  /** Rows that the operation names by their identity, or makes. */
  private addDirect(operation: BoundOperation, index: number): void {
    const names = this.directNames(operation, index);
    if (names === ANY_ROW) {
      this.reliable = false;
      return;
    }
    this.touched.set(operation, names);
    if (this.onlyNames) return;
    for (const name of names) this.addName(name, operation);
    this.write(operation, names);
  }

  private directNames(operation: BoundOperation, index: number): readonly RowName[] | typeof ANY_ROW {
    const { kind } = operation;
    const names: RowName[] = [];
    if (kind !== 'insert' && kind !== 'ignore' && namingKey(operation) === this.identity) {
      const named = this.chunk.named(operation, this.identity.columns);
      if (named.state !== 'known') return ANY_ROW;
      names.push({ text: named.text, identity: named });
    } else if (kind === 'insert' || kind === 'ignore' || kind === 'upsert') {
      const made = this.madeName(
        this.chunk.inserted(operation, this.identity.columns, this.identity.nullsNotDistinct),
        index,
      );
      if (made === undefined) return ANY_ROW;
      names.push(made);
    }
    const renamed = this.renamed(operation, names[0]);
    return renamed === ANY_ROW ? ANY_ROW : [...names, ...renamed];
  }

  private madeName(identity: Value, index: number): RowName | undefined {
    switch (identity.state) {
      case 'known':
        return { text: identity.text, identity };
      case 'fresh':
        return { text: `fresh ${index}`, identity: { state: 'fresh' } };
      case 'null':
        return { text: `null ${index}` };
      case 'unknown':
        return undefined;
      default:
        return identity satisfies never;
    }
  }

  /** The name that an update gives to its row, if it is another one. */
  private renamed(operation: BoundOperation, old: RowName | undefined): readonly RowName[] | typeof ANY_ROW {
    if (!changes(operation, this.identity.columns)) return [];
    if (operation.kind === 'increment') return ANY_ROW;
    const identity = combine(
      this.identity.columns.map((name) => {
        const written = this.chunk.storedValue(operation, this.table.columns.get(name)!);
        return written ?? (old === undefined ? UNKNOWN : this.chunk.namedValue(operation, name));
      }),
      this.identity.nullsNotDistinct,
    );
    if (identity.state !== 'known') return ANY_ROW;
    return identity.text === old?.text ? [] : [{ text: identity.text, identity }];
  }

  private addName({ text, identity }: RowName, operation: BoundOperation): void {
    const row = this.row(text);
    if (identity?.state !== 'known' || (namingKey(operation) === this.identity && this.wasSearched(operation))) {
      row.complete = true;
    }
  }

  /** A name above the floor of its sequence may turn out to be that of any row made here. */
  private joinDrawn(): void {
    const names = [...this.touched.values()].flatMap((each) => (each === ANY_ROW ? [] : each));
    const drawn = names.filter(({ identity }) => identity?.state === 'fresh');
    const guessed = names.filter(({ identity }) => identity?.state === 'known' && identity.beyond);
    if (drawn.length === 0 || guessed.length === 0) return;
    for (const { text } of [...drawn, ...guessed]) this.join(drawn[0]!.text, text);
  }

  /**
   * Operations that find their row by another key: every row that may hold it. What they write may make further rows hold
   * what others search by, hence the rounds.
   */
  private addNamedOtherwise(): void {
    const otherwise = this.operations.filter((operation) => {
      const key = namingKey(operation);
      return key !== undefined && key !== this.identity;
    });
    for (const operation of otherwise) if (!this.isFindable(operation)) this.reliable = false;
    if (!this.reliable) {
      for (const operation of otherwise) this.touched.set(operation, ANY_ROW);
      return;
    }
    for (let grown = true; grown;) {
      grown = false;
      for (const operation of otherwise) grown = this.addFound(operation) || grown;
    }
  }

  private isFindable(operation: BoundOperation): boolean {
    return this.chunk.named(operation, namingKey(operation)!.columns).state === 'known' && this.wasSearched(operation);
  }

  private wasSearched(operation: BoundOperation): boolean {
    return this.known?.searched.get(searchName(operation))?.has(searchKey(operation)) === true;
  }

  private addFound(operation: BoundOperation): boolean {
    const key = namingKey(operation)!;
    const sought = this.chunk.named(operation, key.columns);
    const before = this.touched.get(operation);
    const names = new Map((before === undefined || before === ANY_ROW ? [] : before).map((name) => [name.text, name]));
    const size = names.size;
    for (const [text, row] of this.rows) {
      if (names.has(text) || !this.mayHold(row, key.columns, sought)) continue;
      names.set(text, this.nameOf(text, row));
    }
    const found = [...names.values()];
    this.touched.set(operation, found);
    return this.write(operation, found) || names.size > size;
  }

  private nameOf(text: string, row: Row): RowName {
    if (text.startsWith('fresh ')) return { text, identity: { state: 'fresh' } };
    if (text.startsWith('null ') || text.startsWith('read ')) return { text };
    const values = this.identity.columns.map((name) => this.held(row, name));
    const identity = combinations(values).find((value) => value.state === 'known' && value.text === text);
    return { text, identity: identity?.state === 'known' ? identity : { state: 'known', text, beyond: true } };
  }

  /** Adds what the operation may write into these rows, which become one where it changes names. Answers what was new. */
  private write(operation: BoundOperation, names: readonly RowName[]): boolean {
    if (names.length === 0) return false;
    let grown = false;
    if (changes(operation, this.identity.columns)) {
      for (const { text } of names.slice(1)) grown = this.join(names[0]!.text, text) || grown;
    }
    const makes = operation.kind === 'insert' || operation.kind === 'ignore' || operation.kind === 'upsert';
    for (const { text, identity } of names) {
      const row = this.row(text);
      for (const column of this.columns) {
        const written = this.chunk.storedValue(operation, this.table.columns.get(column)!);
        if (written !== undefined) grown = this.add(row, column, written) || grown;
        else if (makes) grown = this.add(row, column, this.chunk.insertedValues(operation, [column])[0]!) || grown;
      }
      if (identity?.state === 'known') grown = this.addIdentity(row, operation) || grown;
    }
    return grown;
  }

  private addIdentity(row: Row, operation: BoundOperation): boolean {
    if (namingKey(operation) !== this.identity) return false;
    let grown = false;
    for (const name of this.identity.columns) {
      grown = this.add(row, name, this.chunk.namedValue(operation, name)) || grown;
    }
    return grown;
  }

  private row(text: string): Row {
    const known = this.rows.get(text);
    if (known !== undefined) return known;
    const row: Row = { values: [], complete: false };
    this.rows.set(text, row);
    return row;
  }

  private mayHold(row: Row, columns: readonly string[], sought: Value): boolean {
    return combinations(columns.map((name) => this.held(row, name))).some((value) => mayBeEqual(value, sought));
  }

  private add(row: Row, column: string, value: Value): boolean {
    const index = this.columns.indexOf(column);
    const values = (row.values[index] ??= []);
    if (values.some((other) => textOf(other) === textOf(value))) return false;
    values.push(value);
    return true;
  }

  /** Two names of what may be one row. */
  private join(one: string, other: string): boolean {
    const kept = this.row(one);
    const dropped = this.row(other);
    if (kept === dropped) return false;
    kept.complete &&= dropped.complete;
    this.columns.forEach((column, index) => {
      for (const value of dropped.values[index] ?? []) this.add(kept, column, value);
    });
    for (const [text, row] of this.rows) if (row === dropped) this.rows.set(text, kept);
    return true;
  }
}

interface Row {
  /** By the column's place among the relevant ones: every value, each once. */
  values: Value[][];
  /** True when it is known what the row held at first, or that there was none. */
  complete: boolean;
}

const NO_COLUMNS: ReadonlySet<string> = new Set();

/** The columns on which anything depends that the planner looks at. */
export function relevantColumns(table: Table): ReadonlySet<string> {
  return new Set([
    ...table.uniqueKeys.flatMap(({ columns }) => columns),
    ...table.watches.flatMap(({ columns = [] }) => columns),
    ...table.foreignKeys.flatMap(({ childColumns }) => childColumns),
  ]);
}

/** True when an existing row may have another value in one of these columns afterwards. */
export function changes({ kind, keyColumns, valueColumns }: BoundOperation, columns: readonly string[]): boolean {
  if (kind === 'insert' || kind === 'ignore' || kind === 'delete') return false;
  const conflictKey = kind === 'upsert' ? keyColumns : [];
  return valueColumns.some((column) => columns.includes(column.name) && !conflictKey.includes(column));
}

function mayBeEqual(held: Value, sought: Value): boolean {
  if (held.state === 'unknown') return true;
  if (held.state === 'fresh') return sought.state === 'known' && sought.beyond;
  return textOf(held) === textOf(sought);
}

/** Values of a type begin with a letter, or with the name of their family. */
const textOf = (value: Value): string => (value.state === 'known' ? value.text : `:${value.state}`);
