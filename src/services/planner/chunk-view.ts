import type { Column, ForeignKey, Table, UniqueKey } from '../catalog/table.js';
import { encodeValue } from '../composer/encode-value.js';
import type { GivenValue } from '../values/exact-json.js';
import { groupBy } from '../values/group-by.js';
import { givenValue, keyValue, type BoundOperation } from './bound-operation.js';
import { asksDatabase, comparable } from './comparable.js';
import { chooseIdentities } from './identity.js';
import { rankKey, type ReadSet } from './read-set.js';
import { combine, GENERATED, NULL, UNKNOWN, type Value } from './value.js';

/** Operations, their tables and what is known of them, in the form that the planner's rules need. Pure. */
export class ChunkView {
  readonly tables: ReadonlyMap<string, Table>;
  readonly identityOf: (table: Table) => UniqueKey | undefined;
  /** For each table, the other tables of the chunk whose deletes may reach it. */
  readonly cascadeSources: ReadonlyMap<string, readonly { source: string }[]>;
  /** The parent tables of rows that the chunk's deletes reach by a cascade. */
  readonly releasedByCascade: ReadonlySet<string>;

  constructor(
    readonly operations: readonly BoundOperation[],
    readonly readSet: ReadSet,
  ) {
    this.tables = new Map(operations.map(({ table }) => [table.id, table]));
    this.identityOf = chooseIdentities(operations);
    const deletedFrom = new Set(operations.filter(({ kind }) => kind === 'delete').map(({ table }) => table));
    const cascades = [...deletedFrom].flatMap(({ id: source, reach }) =>
      (reach?.tables ?? []).map((reached) => ({ source, reached })),
    );
    this.cascadeSources = groupBy(cascades, ({ reached }) => reached);
    this.releasedByCascade = new Set(
      [...deletedFrom].flatMap(({ reach }) => (reach?.releases ?? []).map((r) => r.parent)),
    );
  }

  /** What a new row has in these columns: the given value, or else the default. */
  insertedValues(operation: BoundOperation, columns: readonly string[]): Value[] {
    return columns.map((name) => {
      const column = operation.table.columns.get(name)!;
      return this.storedValue(operation, column) ?? DEFAULTS[column.default];
    });
  }

  inserted(operation: BoundOperation, columns: readonly string[], nullsNotDistinct = false): Value {
    return combine(this.insertedValues(operation, columns), nullsNotDistinct);
  }

  /** What the operation writes into the column. Undefined when it does not write it. */
  storedValue(operation: BoundOperation, column: Column): Value | undefined {
    const given = givenValue(operation, column.name);
    if (given === undefined) return undefined;
    return operation.kind === 'increment' ? UNKNOWN : this.valueOf(given, column, column.storedType);
  }

  /** The value in this column by which the operation names its row. */
  namedValue(operation: BoundOperation, name: string): Value {
    const value = keyValue(operation, name);
    if (value === undefined) return UNKNOWN;
    const column = operation.table.columns.get(name)!;
    // An upsert looks for the value that it would write, as the column stores it.
    return this.valueOf(value, column, operation.kind === 'upsert' ? column.storedType : undefined);
  }

  named(operation: BoundOperation, columns: readonly string[]): Value {
    return combine(columns.map((name) => this.namedValue(operation, name)));
  }

  /** A value that was read from a row. */
  readValue(text: string | null, column: Column): Value {
    if (text === null) return NULL;
    const comparableText = asksDatabase(column)
      ? this.rankedText(text, column, column.storedType)
      : comparable(text, column);
    return this.asValue(comparableText, column);
  }

  /** True when the child's and the parent's column compare values by the same texts. */
  comparesAlike({ child, childColumns, parent, parentColumns, sameTypes }: ForeignKey): boolean {
    const family = (table: string, name: string) => this.tables.get(table)?.columns.get(name)?.family;
    return (
      sameTypes && childColumns.every((name, index) => family(child, name) === family(parent, parentColumns[index]!))
    );
  }

  /** Turns a value of a foreign key into a value of the parent's key. */
  asParent(value: Value, { parent, parentColumns }: ForeignKey): Value {
    if (value.state !== 'known') return value;
    const drawn = parentColumns.some((name) => this.tables.get(parent)?.columns.get(name)?.default === 'generated');
    return drawn
      ? { ...value, mayBeGenerated: this.mayBeDrawn(value.text, this.tables.get(parent)!, parentColumns) }
      : value;
  }

  private mayBeDrawn(text: string, parent: Table, columns: readonly string[]): boolean {
    return columns.length > 1 || this.isBeyond(text, parent.columns.get(columns[0]!)!);
  }

  private valueOf(value: GivenValue, column: Column, storedType: string | undefined): Value {
    if (value === null) return NULL;
    if (!asksDatabase(column)) return this.asValue(comparable(value, column), column);
    const text = encodeValue(value, column);
    return text === null ? UNKNOWN : this.asValue(this.rankedText(text, column, storedType), column);
  }

  private asValue(text: string | undefined, column: Column): Value {
    return text === undefined ? UNKNOWN : { state: 'known', text, mayBeGenerated: this.isBeyond(text, column) };
  }

  private rankedText(text: string, { family }: Column, storedType: string | undefined): string | undefined {
    const rank = this.readSet.ranks.get(family)?.get(rankKey(text, storedType));
    return rank === undefined ? undefined : `${family}#${rank}`;
  }

  /** True when a sequence may still give this value. */
  private isBeyond(text: string, column: Column): boolean {
    if (column.default !== 'generated' || column.sequences.length === 0) return false;
    if (!/^i-?\d+$/.test(text)) return true;
    const value = BigInt(text.slice(1));
    return column.sequences.some((sequence) => {
      const lastValue = this.readSet.sequenceLastValues.get(sequence);
      return lastValue === undefined || value > lastValue;
    });
  }
}

const DEFAULTS = { none: NULL, generated: GENERATED, other: UNKNOWN } as const;
