import { UNKNOWN_SEQUENCE, type ForeignKey, type Table, type ExclusionRule } from '../catalog/table.js';
import type { Steps } from '../steps/steps.js';
import { groupBy } from '../values/group-by.js';
import type { BoundOperation } from './bound-operation.js';
import type { ChunkView } from './chunk-view.js';
import { changes } from './identity.js';
import { ANY_ROW, type RowName } from './name-rows.js';
import { drawnColumns, makesRow } from './operation-shape.js';
import { RowHistory } from './row-history.js';
import { Barrier, ConflictKeySpace, ConflictKey, type OperationConflicts } from './conflict-keys.js';
import { UNKNOWN, type Value } from './value.js';

/** Shared by operations that refer to rows by these columns and operations that create and remove these rows. */
interface ParentSpaces {
  referred: ConflictKeySpace;
  exists: ConflictKeySpace;
  released: ConflictKeySpace;
  removed: ConflictKeySpace;
}

/** The values of a key that rows take and give up. */
interface KeySpaces {
  taken: ConflictKeySpace;
  freed: ConflictKeySpace;
}

/** Finds out what each operation of a chunk reads and changes, as conflict keys. Pure. */
export class ChunkResources {
  private readonly histories = new Map<string, RowHistory>();
  private readonly groups = new Map<string, Barrier>();
  private readonly barriers = new Map<string, Barrier>();
  private readonly sequences = new Map<string, ConflictKey>();
  private readonly reaches = new Map<string, ConflictKey>();
  private readonly rows = new Map<string, ConflictKeySpace>();
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

  /** Adds the conflict keys of an operation, which may be a barrier. */
  addTo(conflicts: OperationConflicts, operation: BoundOperation): void {
    const { table } = operation;
    const group = memo(this.groups, table.group, () => new Barrier(`tables tied to ${table.id}`));
    const own = memo(this.barriers, table.id, () => this.barrierOf(table.id));
    group.pass(conflicts);
    own.pass(conflicts);
    this.addSequences(conflicts, operation);
    if (this.isGroupBarrier(operation)) {
      group.close(conflicts);
      return;
    }
    // If its row is unknown, only its own table needs a barrier: references are examined in every case.
    if (this.isTableBarrier(operation)) own.close(conflicts);
    this.addRows(conflicts, operation);
    this.addUniqueKeys(conflicts, operation);
    for (const foreignKey of table.foreignKeys) this.addReference(conflicts, operation, foreignKey);
    this.addReferenced(conflicts, operation);
    this.addCascades(conflicts, operation);
  }

  private barrierOf(table: string): Barrier {
    if (this.histories.get(table)?.exceedsLimits !== true) return new Barrier(table);
    return new Barrier(`${table}: too many rows that its operations may touch`, 'planning limit');
  }

  /**
   * True when the operation may reach other tables in a way that the planner does not examine. Those tables are in the
   * same group.
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
  private addSequences(conflicts: OperationConflicts, operation: BoundOperation): void {
    for (const { name: column, sequences } of drawnColumns(operation)) {
      const subject = { table: operation.table.id, columns: [column] };
      for (const sequence of sequences) {
        const before = sequence === UNKNOWN_SEQUENCE ? [ANY_SEQUENCE] : [sequence, UNKNOWN_SEQUENCE];
        for (const name of before) conflicts.notBefore(keyOf(this.sequences, name), 'sequence order', subject);
        conflicts.writes(keyOf(this.sequences, ANY_SEQUENCE));
        conflicts.writes(keyOf(this.sequences, sequence));
      }
    }
  }

  /** Operations on one row keep their order. All others are free. */
  private addRows(conflicts: OperationConflicts, operation: BoundOperation): void {
    const { table } = operation;
    const identity = this.chunk.identityOf(table);
    if (identity === undefined) return;
    const keys = memo(this.rows, table.id, () => new ConflictKeySpace({ table: table.id, columns: identity.columns }));
    const rows = this.rowsOf(operation);
    const [only] = rows;
    if (rows.length === 1 && only?.identity?.state === 'known' && operation.namingKey === identity) {
      keys.useRow(conflicts, only.text, only.identity.mayBeGenerated);
      return;
    }
    for (const { text, identity: value } of rows) {
      const name: Value = { state: 'known', text, mayBeGenerated: value?.state === 'known' && value.mayBeGenerated };
      keys.dependsOn(conflicts, name, 'same row');
      keys.writes(conflicts, name);
      if (value?.state !== 'generated') continue;
      keys.dependsOn(conflicts, value, 'same row');
      keys.writes(conflicts, value);
    }
  }

  private rowsOf(operation: BoundOperation): readonly RowName[] {
    const rows = this.histories.get(operation.table.id)?.rowsOf(operation);
    return rows === undefined || rows === ANY_ROW ? [] : rows;
  }

  /** The values of other unique keys that a row takes, and may give up. */
  private addUniqueKeys(conflicts: OperationConflicts, operation: BoundOperation): void {
    const { table } = operation;
    for (const key of table.uniqueKeys) {
      if (key === this.chunk.identityOf(table)) continue;
      const { name, columns, nullsNotDistinct } = key;
      const keySpaces = this.keySpaces(table, name, columns);
      const finds = operation.kind !== 'upsert' && operation.namingKey === key;
      if (finds) addTaken(conflicts, keySpaces, [this.chunk.named(operation, columns)]);
      addTaken(conflicts, keySpaces, this.given(operation, columns, nullsNotDistinct));
      addFreed(conflicts, keySpaces, this.givenUp(operation, columns, nullsNotDistinct));
    }
    for (const rule of table.exclusionRules) {
      const { name, columns = [], nullsNotDistinct, depends } = rule;
      const keySpaces = this.keySpaces(table, name, depends);
      addTaken(conflicts, keySpaces, comparedBy(rule, this.given(operation, columns, nullsNotDistinct, depends)));
      addFreed(conflicts, keySpaces, comparedBy(rule, this.givenUp(operation, columns, nullsNotDistinct, depends)));
    }
  }

  private keySpaces(table: Table, name: string, columns: readonly string[]): KeySpaces {
    return memo(this.keys, `${table.id} ${name}`, () => {
      const subject = { table: table.id, columns };
      return { taken: new ConflictKeySpace(subject), freed: new ConflictKeySpace(subject) };
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
  private addReference(conflicts: OperationConflicts, operation: BoundOperation, foreignKey: ForeignKey): void {
    const { parent, parentColumns, childColumns } = foreignKey;
    if (!this.chunk.tables.has(parent)) return;
    const { exists, referred, removed, released } = this.parentSpaces(parent, parentColumns);
    for (const value of this.given(operation, childColumns)) {
      const parentValue = this.asParent(value, foreignKey);
      exists.dependsOn(conflicts, parentValue, 'missing parent');
      referred.writes(conflicts, parentValue);
    }
    for (const value of this.givenUp(operation, childColumns)) {
      const parentValue = this.asParent(value, foreignKey);
      removed.dependsOn(conflicts, parentValue, 'released parent');
      released.writes(conflicts, parentValue);
    }
  }

  private asParent(value: Value, foreignKey: ForeignKey): Value {
    if (value.state === 'null') return value;
    // The value that a default draws here is not related to the value that the parent's default draws.
    if (value.state === 'generated' || !this.chunk.comparesAlike(foreignKey)) return UNKNOWN;
    return this.chunk.asParent(value, foreignKey);
  }

  /** For columns that foreign keys refer to: other rows may refer to a row that is created or removed. */
  private addReferenced(conflicts: OperationConflicts, operation: BoundOperation): void {
    const { table } = operation;
    for (const columns of this.referencedColumns(table)) {
      const { exists, referred, removed, released } = this.parentSpaces(table.id, columns);
      for (const value of this.given(operation, columns)) {
        referred.dependsOn(conflicts, value, 'missing parent');
        exists.writes(conflicts, value);
      }
      for (const value of this.givenUp(operation, columns)) {
        referred.dependsOn(conflicts, value, 'missing parent');
        released.dependsOn(conflicts, value, 'released parent');
        exists.writes(conflicts, value);
        removed.writes(conflicts, value);
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
        referred: new ConflictKeySpace(subject),
        exists: new ConflictKeySpace(subject),
        released: new ConflictKeySpace(subject),
        removed: new ConflictKeySpace(subject),
      };
    });
  }

  /** A delete that reaches rows of other tables, and operations on tables that such a delete may reach. */
  private addCascades(conflicts: OperationConflicts, { kind, table }: BoundOperation): void {
    this.addReached(conflicts, table.id);
    if (kind !== 'delete' || table.reach === undefined) return;
    for (const reached of table.reach.tables) {
      conflicts.dependsOn(keyOf(this.reaches, `use of ${reached}`), 'cascade', { table: reached, columns: [] });
      this.addReached(conflicts, reached, table.id);
      conflicts.writes(keyOf(this.reaches, `${table.id} to ${reached}`));
    }
    for (const { parent, parentColumns } of table.reach.releases) {
      const { removed, released } = this.parentSpaces(parent, parentColumns);
      removed.dependsOn(conflicts, UNKNOWN, 'released parent');
      released.writes(conflicts, UNKNOWN);
    }
  }

  /** The operation comes after deletes that may have reached the table, except deletes from the table `from`. */
  private addReached(conflicts: OperationConflicts, reached: string, from?: string): void {
    const sources = this.chunk.cascadeSources.get(reached) ?? [];
    for (const { source } of sources) {
      if (source === from) continue;
      conflicts.dependsOn(keyOf(this.reaches, `${source} to ${reached}`), 'cascade', { table: reached, columns: [] });
    }
    if (from === undefined && sources.length > 0) conflicts.writes(keyOf(this.reaches, `use of ${reached}`));
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

const keyOf = (made: Map<string, ConflictKey>, name: string): ConflictKey => memo(made, name, () => new ConflictKey());

function addTaken(conflicts: OperationConflicts, { taken, freed }: KeySpaces, values: readonly Value[]): void {
  for (const value of values) {
    taken.dependsOn(conflicts, value, 'unique value');
    freed.dependsOn(conflicts, value, 'freed value');
    taken.writes(conflicts, value);
  }
}

function addFreed(conflicts: OperationConflicts, { taken, freed }: KeySpaces, values: readonly Value[]): void {
  for (const value of values) {
    taken.dependsOn(conflicts, value, 'freed value');
    freed.writes(conflicts, value);
  }
}

/** The values that a rule compares, if it compares columns. */
function comparedBy({ columns }: ExclusionRule, values: readonly Value[]): readonly Value[] {
  return columns === undefined ? values.map(() => UNKNOWN) : values;
}

function givesAll({ valueColumns }: BoundOperation, columns: readonly string[]): boolean {
  return columns.every((name) => valueColumns.some((column) => column.name === name));
}
