import { UNKNOWN_SEQUENCE, type ForeignKey, type Table, type Watch } from '../catalog/table.js';
import type { Steps } from '../steps/steps.js';
import { groupBy } from '../values/group-by.js';
import type { BoundOperation } from './bound-operation.js';
import type { ChunkView } from './chunk-view.js';
import { changes } from './identity.js';
import { ANY_ROW, type RowName } from './name-rows.js';
import { drawnColumns, makesRow } from './operation-shape.js';
import { RowHistory } from './row-history.js';
import { Barrier, Space, Token, type TokenList } from './tokens.js';
import { UNKNOWN, type Value } from './value.js';

/** Shared by operations that refer to rows by these columns and operations that create and remove these rows. */
interface ParentSpaces {
  referred: Space;
  exists: Space;
  released: Space;
  removed: Space;
}

/** The values of a key that rows take and give up. */
interface KeySpaces {
  taken: Space;
  freed: Space;
}

/** Finds out what each operation of a chunk reads and changes, as tokens. Pure. */
export class ChunkResources {
  private readonly histories = new Map<string, RowHistory>();
  private readonly groups = new Map<string, Barrier>();
  private readonly barriers = new Map<string, Barrier>();
  private readonly sequences = new Map<string, Token>();
  private readonly reaches = new Map<string, Token>();
  private readonly rows = new Map<string, Space>();
  private readonly keys = new Map<string, KeySpaces>();
  private readonly parents = new Map<string, ParentSpaces>();

  constructor(private readonly chunk: ChunkView) {
    const disturbed = new Set(chunk.operations.filter((op) => this.isGroupBarrier(op)).map(({ table }) => table.group));
    const operations = groupBy(chunk.operations, ({ table }) => table.id);
    for (const [id, table] of chunk.tables) {
      const identity = chunk.identityOf(table);
      if (identity === undefined || table.opaque !== undefined) continue;
      this.histories.set(id, new RowHistory(chunk, table, identity, operations.get(id)!, disturbed.has(table.group)));
    }
  }

  /** Must run before any other method is called. */
  *follow(): Steps<void> {
    for (const history of this.histories.values()) yield* history.follow();
  }

  /** The tokens of an operation on an ordinary table, or of a barrier. */
  addTo(found: TokenList, operation: BoundOperation): void {
    const { table } = operation;
    const group = memo(this.groups, table.group, () => new Barrier(`tables tied to ${table.id}`));
    const own = memo(this.barriers, table.id, () => this.barrierOf(table.id));
    group.pass(found);
    own.pass(found);
    this.addSequences(found, operation);
    if (this.isGroupBarrier(operation)) {
      group.close(found);
      return;
    }
    // Only its own table needs to know which row it is. References in both directions are examined in every case.
    if (this.isTableBarrier(operation)) own.close(found);
    this.addRows(found, operation);
    this.addUniqueKeys(found, operation);
    for (const foreignKey of table.foreignKeys) this.addReference(found, operation, foreignKey);
    this.addReferenced(found, operation);
    this.addCascades(found, operation);
  }

  private barrierOf(table: string): Barrier {
    if (this.histories.get(table)?.exceedsLimits !== true) return new Barrier(table);
    return new Barrier(`${table}: too many rows that its operations may touch`, 'planning limit');
  }

  /**
   * Operations that may reach other tables in a way that is not examined here. Those tables are in the same group.
   */
  private isGroupBarrier(operation: BoundOperation): boolean {
    const { kind, table } = operation;
    if (table.opaque !== undefined) return true;
    if (kind === 'delete') return table.reach?.simple === false;
    return table.referencedBy.some(
      ({ onUpdate, parentColumns }) =>
        onUpdate !== 'no action' && onUpdate !== 'restrict' && changes(operation, parentColumns),
    );
  }

  private isTableBarrier(operation: BoundOperation): boolean {
    return this.histories.get(operation.table.id)?.rowsOf(operation) === ANY_ROW;
  }

  /** The values of a sequence are given out in the order of the operations, even when several tables draw from it. */
  private addSequences(found: TokenList, operation: BoundOperation): void {
    for (const { name: column, sequences } of drawnColumns(operation)) {
      const subject = { table: operation.table.id, columns: [column] };
      for (const sequence of sequences) {
        const before = sequence === UNKNOWN_SEQUENCE ? [ANY_SEQUENCE] : [sequence, UNKNOWN_SEQUENCE];
        for (const name of before) found.notBefore(tokenOf(this.sequences, name), 'sequence order', subject);
        found.mark(tokenOf(this.sequences, ANY_SEQUENCE));
        found.mark(tokenOf(this.sequences, sequence));
      }
    }
  }

  /** Operations on one row keep their order. All others are free. */
  private addRows(found: TokenList, operation: BoundOperation): void {
    const { table } = operation;
    const identity = this.chunk.identityOf(table);
    if (identity === undefined) return;
    const space = memo(this.rows, table.id, () => new Space({ table: table.id, columns: identity.columns }));
    const rows = this.rowsOf(operation);
    const [only] = rows;
    if (rows.length === 1 && only?.identity?.state === 'known' && operation.namingKey === identity) {
      space.useRow(found, only.text, only.identity.beyond);
      return;
    }
    for (const { text, identity: value } of rows) {
      const name: Value = { state: 'known', text, beyond: value?.state === 'known' && value.beyond };
      space.need(found, name, 'same row');
      space.mark(found, name);
      if (value?.state !== 'fresh') continue;
      space.need(found, value, 'same row');
      space.mark(found, value);
    }
  }

  private rowsOf(operation: BoundOperation): readonly RowName[] {
    const rows = this.histories.get(operation.table.id)?.rowsOf(operation);
    return rows === undefined || rows === ANY_ROW ? [] : rows;
  }

  /** The values of other unique keys that a row takes, and may give up. */
  private addUniqueKeys(found: TokenList, operation: BoundOperation): void {
    const { table } = operation;
    for (const key of table.uniqueKeys) {
      if (key === this.chunk.identityOf(table)) continue;
      const { name, columns, nullsNotDistinct } = key;
      const spaces = this.keySpaces(table, name, columns);
      const finds = operation.kind !== 'upsert' && operation.namingKey === key;
      if (finds) addTaken(found, spaces, [this.chunk.named(operation, columns)]);
      addTaken(found, spaces, this.given(operation, columns, nullsNotDistinct));
      addFreed(found, spaces, this.givenUp(operation, columns, nullsNotDistinct));
    }
    for (const watch of table.watches) {
      const { name, columns = [], nullsNotDistinct, depends } = watch;
      const spaces = this.keySpaces(table, name, depends);
      addTaken(found, spaces, watched(watch, this.given(operation, columns, nullsNotDistinct, depends)));
      addFreed(found, spaces, watched(watch, this.givenUp(operation, columns, nullsNotDistinct, depends)));
    }
  }

  private keySpaces(table: Table, name: string, columns: readonly string[]): KeySpaces {
    return memo(this.keys, `${table.id} ${name}`, () => {
      const subject = { table: table.id, columns };
      return { taken: new Space(subject), freed: new Space(subject) };
    });
  }

  /** What a row may hold in these columns because of the operation. */
  private given(
    operation: BoundOperation,
    columns: readonly string[],
    nullsNotDistinct = false,
    depends: readonly string[] = columns,
  ): readonly Value[] {
    const { kind, table } = operation;
    if (kind === 'delete') return [];
    const inserted = makesRow(operation) ? [this.chunk.inserted(operation, columns, nullsNotDistinct)] : [];
    if (!changes(operation, depends) || (inserted.length > 0 && givesAll(operation, columns))) return inserted;
    return [...inserted, ...(this.histories.get(table.id)?.written(operation, columns, nullsNotDistinct) ?? [UNKNOWN])];
  }

  /** What a row may no longer hold in these columns because of the operation. */
  private givenUp(
    operation: BoundOperation,
    columns: readonly string[],
    nullsNotDistinct = false,
    depends: readonly string[] = columns,
  ): readonly Value[] {
    if (operation.kind !== 'delete' && !changes(operation, depends)) return [];
    return this.histories.get(operation.table.id)?.possible(operation, columns, nullsNotDistinct) ?? [UNKNOWN];
  }

  /**
   * A foreign key of the table: the parent has to exist when the reference is set, and may be removed when it is given
   * up.
   */
  private addReference(found: TokenList, operation: BoundOperation, foreignKey: ForeignKey): void {
    const { parent, parentColumns, childColumns } = foreignKey;
    if (!this.chunk.tables.has(parent)) return;
    const { exists, referred, removed, released } = this.parentSpaces(parent, parentColumns);
    for (const value of this.given(operation, childColumns)) {
      const parentValue = this.asParent(value, foreignKey);
      exists.need(found, parentValue, 'missing parent');
      referred.mark(found, parentValue);
    }
    for (const value of this.givenUp(operation, childColumns)) {
      const parentValue = this.asParent(value, foreignKey);
      removed.need(found, parentValue, 'released parent');
      released.mark(found, parentValue);
    }
  }

  private asParent(value: Value, foreignKey: ForeignKey): Value {
    if (value.state === 'null') return value;
    // The value that a default draws here is not related to the value that the parent's default draws.
    if (value.state === 'fresh' || !this.chunk.comparesAlike(foreignKey)) return UNKNOWN;
    return this.chunk.asParent(value, foreignKey);
  }

  /** Columns that foreign keys refer to: rows that are created and removed may be referred to. */
  private addReferenced(found: TokenList, operation: BoundOperation): void {
    const { table } = operation;
    for (const columns of this.referencedColumns(table)) {
      const { exists, referred, removed, released } = this.parentSpaces(table.id, columns);
      for (const value of this.given(operation, columns)) {
        referred.need(found, value, 'missing parent');
        exists.mark(found, value);
      }
      for (const value of this.givenUp(operation, columns)) {
        referred.need(found, value, 'missing parent');
        released.need(found, value, 'released parent');
        exists.mark(found, value);
        removed.mark(found, value);
      }
    }
  }

  /** Each list of columns that rows of this chunk may refer to, once. */
  private referencedColumns(table: Table): readonly (readonly string[])[] {
    const referring = table.referencedBy.filter(
      ({ child }) => this.chunk.tables.has(child) || this.chunk.releasedByCascade.has(table.id),
    );
    return [...new Map(referring.map(({ parentColumns }) => [parentColumns.join(','), parentColumns])).values()];
  }

  private parentSpaces(parent: string, columns: readonly string[]): ParentSpaces {
    return memo(this.parents, `${parent} (${columns.join(',')})`, () => {
      const subject = { table: parent, columns };
      return {
        referred: new Space(subject),
        exists: new Space(subject),
        released: new Space(subject),
        removed: new Space(subject),
      };
    });
  }

  /** A delete that reaches rows of other tables, and operations on tables that such a delete may reach. */
  private addCascades(found: TokenList, { kind, table }: BoundOperation): void {
    this.addReached(found, table.id);
    if (kind !== 'delete' || table.reach === undefined) return;
    for (const reached of table.reach.tables) {
      found.need(tokenOf(this.reaches, `use of ${reached}`), 'cascade', { table: reached, columns: [] });
      this.addReached(found, reached, table.id);
      found.mark(tokenOf(this.reaches, `${table.id} to ${reached}`));
    }
    for (const { parent, parentColumns } of table.reach.releases) {
      const { removed, released } = this.parentSpaces(parent, parentColumns);
      removed.need(found, UNKNOWN, 'released parent');
      released.mark(found, UNKNOWN);
    }
  }

  /** After the deletes that may have reached the table, except those from the table `from`. */
  private addReached(found: TokenList, reached: string, from?: string): void {
    const sources = this.chunk.cascadeSources.get(reached) ?? [];
    for (const { source } of sources) {
      if (source === from) continue;
      found.need(tokenOf(this.reaches, `${source} to ${reached}`), 'cascade', { table: reached, columns: [] });
    }
    if (from === undefined && sources.length > 0) found.mark(tokenOf(this.reaches, `use of ${reached}`));
  }
}

/** It cannot be the name of a sequence, because each of those has a schema. */
const ANY_SEQUENCE = 'any';

/** Creates a value at the first request, and returns the same one later. */
function memo<K, T>(made: Map<K, T>, name: K, make: () => T): T {
  const known = made.get(name);
  if (known !== undefined) return known;
  const value = make();
  made.set(name, value);
  return value;
}

const tokenOf = (made: Map<string, Token>, name: string): Token => memo(made, name, () => new Token());

function addTaken(found: TokenList, { taken, freed }: KeySpaces, values: readonly Value[]): void {
  for (const value of values) {
    taken.need(found, value, 'unique value');
    freed.need(found, value, 'freed value');
    taken.mark(found, value);
  }
}

function addFreed(found: TokenList, { taken, freed }: KeySpaces, values: readonly Value[]): void {
  for (const value of values) {
    taken.need(found, value, 'freed value');
    freed.mark(found, value);
  }
}

/** The values that a watch compares, if it compares columns. */
function watched({ columns }: Watch, values: readonly Value[]): readonly Value[] {
  return columns === undefined ? values.map(() => UNKNOWN) : values;
}

function givesAll({ valueColumns }: BoundOperation, columns: readonly string[]): boolean {
  return columns.every((name) => valueColumns.some((column) => column.name === name));
}
