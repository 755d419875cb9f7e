import type { Json } from '../../interfaces/json.js';
import { UNKNOWN_SEQUENCE, type Column, type ForeignKey, type Table, type UniqueKey } from '../catalog/table.js';
import { givenValue, keyValue, type BoundOperation } from './bound-operation.js';
import { comparable, comparableList } from './comparable.js';

/**
 * What an operation reads and changes, as tokens. An operation must come after every earlier one that marked a token it
 * `needs`: two operations whose order matters always share such a token, so they never share a statement either.
 */
export interface Resources {
  needs: string[];
  marks: string[];
  /** May share a statement with earlier ones that marked these, but not come before them. */
  notBefore: string[];
}

/** The unique key by which the rows of a table are told apart in this chunk; undefined where the table has none. */
export type Identity = (table: Table) => UniqueKey | undefined;

/**
 * The value of some columns that the operation gives to its row: known; `null` where one of them is NULL and therefore
 * equal to nothing; `fresh` where the database draws a value that no other row has; `unknown` where only the database can
 * tell.
 */
type Value = { state: 'known'; text: string } | { state: 'null' | 'fresh' | 'unknown' };

/** The tokens of an operation on an ordinary table, or of a barrier. Pure. */
export function resourcesOf(operation: BoundOperation, identity: Identity): Resources {
  const { table } = operation;
  const resources: Resources = {
    needs: ['barrier', `${laneOf(table)} barrier`, `${table.id} barrier`],
    marks: ['any', `${laneOf(table)} any`, `${table.id} any`],
    notBefore: [],
  };
  addSequences(resources, operation);
  if (table.opaque !== undefined) {
    barrier(resources, 'any', 'barrier');
    return resources;
  }
  // Cascades reach other tables, whose rows and constraints are not looked at here: they share the lane at least.
  if (cascades(operation)) {
    barrier(resources, `${laneOf(table)} any`, `${laneOf(table)} barrier`);
    return resources;
  }
  addRow(resources, operation, identity(table));
  for (const key of table.uniqueKeys) if (key !== identity(table)) addUnique(resources, operation, key);
  for (const foreignKey of table.foreignKeys) addReference(resources, operation, foreignKey);
  for (const columns of referencedColumns(table)) addReferenced(resources, operation, columns);
  if (operation.kind === 'delete') addDelete(resources, table);
  return resources;
}

const laneOf = (table: Table): string => `lane ${table.lane}`;

/** It comes after all that marked `any`, and all that follows comes after it. */
function barrier(resources: Resources, any: string, mark: string): void {
  resources.needs.push(any);
  resources.marks.push(mark);
}

/** True when other rows change along, or when a referenced key changes. */
function cascades({ kind, table, valueColumns, keyColumns }: BoundOperation): boolean {
  if (kind === 'delete') {
    return table.referencedBy.some(({ onDelete }) => onDelete !== 'no action' && onDelete !== 'restrict');
  }
  if (kind === 'insert' || kind === 'ignore') return false;
  const key = kind === 'upsert' ? keyColumns.map(({ name }) => name) : [];
  return table.referencedBy.some(({ parentColumns }) =>
    valueColumns.some(({ name }) => parentColumns.includes(name) && !key.includes(name)),
  );
}

/** The values of a sequence are given out in the order of the operations, whichever tables draw from it. */
function addSequences({ notBefore, marks }: Resources, { kind, table, valueColumns }: BoundOperation): void {
  if (kind !== 'insert' && kind !== 'ignore' && kind !== 'upsert') return;
  for (const column of table.columns.values()) {
    if (column.sequences.length === 0 || valueColumns.includes(column)) continue;
    for (const sequence of column.sequences) {
      if (sequence === UNKNOWN_SEQUENCE) notBefore.push('any sequence');
      else notBefore.push(`sequence ${sequence}`, `sequence ${UNKNOWN_SEQUENCE}`);
      marks.push('any sequence', `sequence ${sequence}`);
    }
  }
}

/** The row itself: operations on one row keep their order, all others are free. */
function addRow(resources: Resources, operation: BoundOperation, identity: UniqueKey | undefined): void {
  if (identity === undefined) return;
  const { table, kind } = operation;
  const inserts = kind === 'insert' || kind === 'ignore';
  const value = inserts
    ? insertedValue(operation, identity.columns)
    : sameColumns(operation.keyColumns, identity.columns)
      ? namedValue(operation, identity.columns)
      : { state: 'unknown' as const };
  addRowValue(resources, table, identity, value);
  // An update may give the row another key.
  if ((kind === 'update' || kind === 'increment') && touches(operation, identity.columns)) {
    addRowValue(resources, table, identity, updatedValue(operation, identity.columns));
  }
}

function addRowValue(resources: Resources, table: Table, identity: UniqueKey, value: Value): void {
  // NULL is found by no key and collides with nothing.
  if (value.state === 'null' && !identity.nullsNotDistinct) return;
  const row = `${table.id} row`;
  if (value.state === 'known') {
    resources.needs.push(`${row} = ${value.text}`, `${row} fresh`);
    resources.marks.push(`${row} = ${value.text}`, `${row} known`);
  } else if (value.state === 'fresh') {
    // Who knows whether an earlier operation named the very value that the sequence gives now.
    resources.needs.push(`${row} known`);
    resources.marks.push(`${row} fresh`);
  } else {
    barrier(resources, `${table.id} any`, `${table.id} barrier`);
  }
}

/** The values of another unique key that the row takes, and may give up. */
function addUnique(resources: Resources, operation: BoundOperation, key: UniqueKey): void {
  const { table, kind } = operation;
  const unique = `${table.id} unique ${key.name}`;
  const changes = kind !== 'delete' && touches(operation, key.columns);
  if (kind === 'insert' || kind === 'ignore' || kind === 'upsert') {
    addTaken(resources, unique, insertedValue(operation, key.columns), key);
  }
  if ((kind === 'update' || kind === 'increment' || kind === 'upsert') && changes) {
    addTaken(resources, unique, updatedValue(operation, key.columns), key);
  }
  // What the row held before is not known: it may be what anybody else takes.
  if (kind === 'delete' || (kind !== 'insert' && kind !== 'ignore' && changes)) {
    resources.needs.push(`${unique} taken`);
    resources.marks.push(`${unique} freed`);
  }
}

function addTaken(resources: Resources, unique: string, value: Value, key: UniqueKey): void {
  if (value.state === 'null' && !key.nullsNotDistinct) return;
  resources.needs.push(`${unique} freed`, `${unique} unknown`);
  resources.marks.push(`${unique} taken`);
  if (value.state === 'known') {
    resources.needs.push(`${unique} = ${value.text}`, `${unique} fresh`);
    resources.marks.push(`${unique} = ${value.text}`, `${unique} known`);
  } else if (value.state === 'fresh') {
    resources.needs.push(`${unique} known`);
    resources.marks.push(`${unique} fresh`);
  } else {
    resources.needs.push(`${unique} taken`);
    resources.marks.push(`${unique} unknown`);
  }
}

/** A foreign key of the table: the parent has to exist when it is set, and may be deleted when it is given up. */
function addReference(resources: Resources, operation: BoundOperation, foreignKey: ForeignKey): void {
  const { kind } = operation;
  const parent = referenceToken(foreignKey.parent, foreignKey.parentColumns);
  const changes = kind !== 'delete' && touches(operation, foreignKey.childColumns);
  if (kind === 'insert' || kind === 'ignore' || kind === 'upsert') {
    addReferringValue(resources, parent, insertedValue(operation, foreignKey.childColumns), operation, foreignKey);
  }
  if ((kind === 'update' || kind === 'increment' || kind === 'upsert') && changes) {
    addReferringValue(resources, parent, updatedValue(operation, foreignKey.childColumns), operation, foreignKey);
  }
  if (kind === 'delete' || (kind !== 'insert' && kind !== 'ignore' && changes)) {
    resources.needs.push(`${foreignKey.parent} deleted`);
    resources.marks.push(`${foreignKey.parent} released`);
  }
}

function addReferringValue(
  resources: Resources,
  parent: string,
  value: Value,
  operation: BoundOperation,
  foreignKey: ForeignKey,
): void {
  if (value.state === 'null') return;
  resources.marks.push(`${parent} referred`);
  // The columns of a composite key are compared in the order of the constraint, on both sides.
  if (value.state === 'known' && comparesAlike(operation.table, foreignKey)) {
    resources.needs.push(`${parent} exists = ${value.text}`, `${parent} exists unknown`);
    resources.marks.push(`${parent} referred = ${value.text}`);
  } else {
    resources.needs.push(`${parent} exists`);
    resources.marks.push(`${parent} referred unknown`);
  }
}

/** Columns that foreign keys of other tables (or of its own) refer to: rows come and go under those who refer. */
function addReferenced(resources: Resources, operation: BoundOperation, columns: readonly string[]): void {
  const { table, kind } = operation;
  if (kind === 'update' || kind === 'increment') return; // a change of these columns is a barrier, see `cascades`
  const parent = referenceToken(table.id, columns);
  const inserted = kind === 'delete' ? namedValue(operation, columns) : insertedValue(operation, columns);
  const value = kind === 'delete' && !sameColumns(operation.keyColumns, columns) ? unknown : inserted;
  if (value.state === 'null') return;
  resources.marks.push(`${parent} exists`);
  if (value.state === 'known') {
    resources.needs.push(`${parent} referred = ${value.text}`, `${parent} referred unknown`);
    resources.marks.push(`${parent} exists = ${value.text}`);
  } else {
    resources.needs.push(`${parent} referred`);
    resources.marks.push(`${parent} exists unknown`);
  }
}

/** Whether a parent may be deleted depends on who gave up referring to it, and whether it went on who still does. */
function addDelete(resources: Resources, table: Table): void {
  if (table.referencedBy.length === 0) return;
  resources.needs.push(`${table.id} released`);
  resources.marks.push(`${table.id} deleted`);
}

const referenceToken = (parent: string, columns: readonly string[]): string => `${parent} (${columns.join(',')})`;

/** Each list of columns once that a foreign key refers to. */
function referencedColumns(table: Table): readonly (readonly string[])[] {
  return [...new Map(table.referencedBy.map(({ parentColumns }) => [parentColumns.join(','), parentColumns])).values()];
}

/** True when a value of the child compares with one of the parent as the same text. */
function comparesAlike(child: Table, { childColumns, sameTypes }: ForeignKey): boolean {
  return sameTypes && childColumns.every((name) => child.columns.get(name)!.comparesAsText);
}

const unknown: Value = { state: 'unknown' };

function touches({ valueColumns }: BoundOperation, columns: readonly string[]): boolean {
  return valueColumns.some(({ name }) => columns.includes(name));
}

function sameColumns(columns: readonly Column[], names: readonly string[]): boolean {
  return columns.length === names.length && columns.every(({ name }) => names.includes(name));
}

/** What a new row holds in these columns: what is given, else the default. */
function insertedValue(operation: BoundOperation, columns: readonly string[]): Value {
  return combine(
    columns.map((name) => {
      const column = operation.table.columns.get(name)!;
      const given = givenValue(operation, name);
      if (given !== undefined) return valueOf(given, column);
      if (column.default === 'none') return { state: 'null' };
      return { state: column.default === 'fresh' ? 'fresh' : 'unknown' };
    }),
  );
}

/** The value by which the operation names its row. */
function namedValue(operation: BoundOperation, columns: readonly string[]): Value {
  return combine(
    columns.map((name) => {
      const value = keyValue(operation, name);
      return value === undefined ? unknown : valueOf(value, operation.table.columns.get(name)!);
    }),
  );
}

/** What the row holds afterwards, as far as the operation says so. */
function updatedValue(operation: BoundOperation, columns: readonly string[]): Value {
  if (operation.kind === 'increment') return unknown;
  return combine(
    columns.map((name) => {
      const given = givenValue(operation, name);
      const value = given === undefined && operation.kind === 'update' ? keyValue(operation, name) : given;
      return value === undefined ? unknown : valueOf(value, operation.table.columns.get(name)!);
    }),
  );
}

function valueOf(value: Json, column: Column): Value {
  if (value === null) return { state: 'null' };
  const text = comparable(value, column);
  return text === undefined ? unknown : { state: 'known', text };
}

function combine(values: readonly Value[]): Value {
  const texts: string[] = [];
  let state: 'known' | 'fresh' | 'unknown' = 'known';
  for (const value of values) {
    if (value.state === 'null') return value;
    if (value.state === 'known') texts.push(value.text);
    else if (state !== 'unknown') state = value.state;
  }
  return state === 'known' ? { state, text: comparableList(texts) } : { state };
}
