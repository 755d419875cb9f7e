import type { Table, UniqueKey } from '../catalog/table.js';
import type { BoundOperation } from './bound-operation.js';
import type { ChunkView } from './chunk-view.js';
import { changes } from './identity.js';
import { searchKey, searchName, type KnownRows } from './knowledge.js';
import { ANY_ROW, nameRows, type RowName } from './name-rows.js';
import { combinations, combine, UNKNOWN, type Value } from './value.js';

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
      operations.every((operation) => (operation.namingKey ?? identity) === identity);
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

  private addName({ text, identity }: RowName, operation: BoundOperation): void {
    const row = this.row(text);
    if (identity?.state !== 'known' || (operation.namingKey === this.identity && this.wasSearched(operation))) {
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
      const key = operation.namingKey;
      return key !== undefined && key !== this.identity;
    });
    for (const operation of otherwise) if (!this.isFindable(operation)) this.reliable = false;
    if (!this.reliable) {
      for (const operation of otherwise) this.touched.set(operation, ANY_ROW);
      return;
    }
    for (let grown = true; grown;) {
      grown = false;
      const holders = new Map<UniqueKey, Holders>();
      for (const operation of otherwise) grown = this.addFound(operation, holders) || grown;
    }
  }

  private isFindable(operation: BoundOperation): boolean {
    return this.chunk.named(operation, operation.namingKey!.columns).state === 'known' && this.wasSearched(operation);
  }

  private wasSearched(operation: BoundOperation): boolean {
    return this.known?.searched.get(searchName(operation))?.has(searchKey(operation)) === true;
  }

  /** @param holders of this round; who comes to hold a value in it is found in the next one */
  private addFound(operation: BoundOperation, holders: Map<UniqueKey, Holders>): boolean {
    const key = operation.namingKey!;
    const holding = holders.get(key) ?? this.holdersOf(key);
    holders.set(key, holding);
    const before = this.touched.get(operation);
    const names = new Map((before === undefined || before === ANY_ROW ? [] : before).map((name) => [name.text, name]));
    const size = names.size;
    for (const text of mayHold(holding, this.chunk.named(operation, key.columns))) {
      if (!names.has(text)) names.set(text, this.nameOf(text, this.row(text)));
    }
    const found = [...names.values()];
    this.touched.set(operation, found);
    return this.write(operation, found) || names.size > size;
  }

  private holdersOf(key: UniqueKey): Holders {
    const holders: Holders = { known: new Map(), unknown: [], fresh: [] };
    for (const [text, row] of this.rows) {
      for (const value of combinations(key.columns.map((name) => this.held(row, name)))) {
        if (value.state === 'unknown') holders.unknown.push(text);
        else if (value.state === 'fresh') holders.fresh.push(text);
        else if (value.state === 'known') {
          const same = holders.known.get(value.text);
          if (same === undefined) holders.known.set(value.text, [text]);
          else same.push(text);
        }
      }
    }
    return holders;
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
    if (operation.namingKey !== this.identity) return false;
    let grown = false;
    for (const name of this.identity.columns) {
      grown = this.add(row, name, this.chunk.namedValue(operation, name)) || grown;
    }
    return grown;
  }

  private row(text: string): Row {
    const known = this.rows.get(text);
    if (known !== undefined) return known;
    const row: Row = { names: [text], values: [], complete: false };
    this.rows.set(text, row);
    return row;
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
    for (const text of dropped.names) this.rows.set(text, kept);
    kept.names.push(...dropped.names);
    return true;
  }
}

interface Row {
  /** All names that it may have. */
  names: string[];
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

/** Names of the rows that may hold each value of a key. */
interface Holders {
  known: Map<string, string[]>;
  unknown: string[];
  fresh: string[];
}

function mayHold({ known, unknown, fresh }: Holders, sought: Value): readonly string[] {
  if (sought.state !== 'known') return [];
  return [...(known.get(sought.text) ?? []), ...unknown, ...(sought.beyond ? fresh : [])];
}

/** Values of a type begin with a letter, or with the name of their family. */
const textOf = (value: Value): string => (value.state === 'known' ? value.text : `:${value.state}`);
