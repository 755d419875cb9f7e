import type { GivenValue } from '../values/exact-json.js';
import type { Column, Table } from '../catalog/table.js';
import { encodeValue } from '../composer/encode-value.js';
import { SQL_STATES, type DatabaseErrorFields } from '../database/sql-state.js';
import { givenValue, keyValue, type BoundOperation } from '../planner/bound-operation.js';
import { hasAtMost } from '../values/text-length.js';

/**
 * The operations, by index, that the database's error seems to name: all whose named values look the same. PostgreSQL's
 * texts may be translated or shortened, and values may be spelled differently, so this is only a hint. An operation is
 * blamed only after running it alone.
 */
export function suspectOperations(error: DatabaseErrorFields, operations: readonly BoundOperation[]): number[] {
  for (const find of [withNull, withKey, withRow, withLiteral, tooLong, outOfPrecision]) {
    const matches = find(error, operations);
    const found = matches === undefined ? [] : indexesOf(operations, matches);
    if (found.length > 0) return found;
  }
  return [];
}

type Matcher = (operation: BoundOperation) => boolean;
type Finder = (error: DatabaseErrorFields, operations: readonly BoundOperation[]) => Matcher | undefined;

/** The error has the column in a separate field. */
const withNull: Finder = ({ code, column }) =>
  code === SQL_STATES.notNullViolation && column !== undefined
    ? (operation) => (givenText(operation, column) ?? null) === null
    : undefined;

/** `Key (a, b)=(1, x) already exists.` Names may be quoted and values may contain `, `, so whole texts are compared. */
const withKey: Finder = ({ detail = '', constraint }, [first]) => {
  const named = keyIn(detail);
  if (named === undefined || first === undefined) return undefined;
  const { names, values } = named;
  const candidates = [...constraintColumns(first.table, constraint), namesIn(names)];
  return (operation) =>
    candidates.some((columns) => {
      const given = columns.map((name) => givenText(operation, name));
      const key = columns.map((name) => keyText(operation, name));
      const after = given.map((text, index) => firstKnown(text, key[index]));
      const before = key.map((text, index) => firstKnown(text, given[index]));
      return listed(after) === values || listed(before) === values;
    });
};

/** `Failing row contains (1, x, null).`: every column in the table's order. */
const withRow: Finder = ({ code, detail = '', constraint }, operations) => {
  const row =
    code === SQL_STATES.checkViolation || code === SQL_STATES.notNullViolation ? inParentheses(detail) : undefined;
  if (row === undefined) return undefined;
  const isNamed: Matcher = (operation) => isRow(operation, row);
  const named = code === SQL_STATES.checkViolation ? operations.find(isNamed) : undefined;
  if (named === undefined) return isNamed;
  const isAlike = alike(named, operations, constraint);
  return (operation) => isAlike(operation) || isNamed(operation);
};

/** `invalid input syntax for type integer: "x"` */
const withLiteral: Finder = ({ message }) => {
  const literal = /"(.+)"/s.exec(message)?.[1];
  if (literal === undefined) return undefined;
  return (operation) =>
    operation.valueColumns.some(({ name }) => givenText(operation, name) === literal) ||
    operation.keyColumns.some(({ name }) => keyText(operation, name) === literal);
};

/** PostgreSQL does not say which value was too long. */
const tooLong: Finder = ({ code }) =>
  code === SQL_STATES.stringTooLong
    ? (operation) =>
        operation.valueColumns.some(
          ({ name, maxLength }) => maxLength !== undefined && !hasAtMost(givenText(operation, name) ?? '', maxLength),
        )
    : undefined;

/** PostgreSQL does not say which value has too many digits. */
const outOfPrecision: Finder = ({ code }) =>
  code === SQL_STATES.numberOutOfRange
    ? (operation) =>
        operation.valueColumns.some(
          ({ name, precision }) =>
            precision !== undefined &&
            Math.abs(Number(givenText(operation, name))) >= 10 ** (precision.digits - precision.scale),
        )
    : undefined;

function indexesOf(operations: readonly BoundOperation[], matches: Matcher): number[] {
  return operations.flatMap((operation, index) => (matches(operation) ? [index] : []));
}

/** The columns of a constraint in the order in which its errors list them. */
function constraintColumns(table: Table, constraint: string | undefined): (readonly string[])[] {
  return [
    ...table.uniqueKeys.filter(({ name }) => name === constraint).map(({ columns }) => columns),
    ...table.foreignKeys.filter(({ name }) => name === constraint).map(({ childColumns }) => childColumns),
    ...table.referencedBy.filter(({ name }) => name === constraint).map(({ parentColumns }) => parentColumns),
  ];
}

/** A longer text is not a key of PostgreSQL, which has at most 32 columns. */
const LONGEST_NAMES = 8192;

/** The parts of `(names)=(values)`, from the first parenthesis to the last. */
function keyIn(detail: string): { names: string; values: string } | undefined {
  const start = detail.indexOf('(') + 1;
  const middle = detail.indexOf(')=(', start + 1);
  const end = detail.lastIndexOf(')');
  if (start === 0 || middle < 0 || end < middle + 3 || middle - start > LONGEST_NAMES) return undefined;
  return { names: detail.slice(start, middle), values: detail.slice(middle + 3, end) };
}

/** From the first parenthesis to the last. */
function inParentheses(detail: string): string | undefined {
  const start = detail.indexOf('(') + 1;
  const end = detail.lastIndexOf(')');
  return start === 0 || end < start ? undefined : detail.slice(start, end);
}

const namesIn = (list: string): string[] =>
  (list.match(/"(?:[^"]|"")*"|[^,\s][^,]*/g) ?? []).map((name) =>
    name.startsWith('"') ? name.slice(1, -1).replaceAll('""', '"') : name,
  );

/** Undefined when one of the values is undefined. */
function listed(texts: readonly (string | null | undefined)[]): string | undefined {
  return texts.includes(undefined) ? undefined : texts.map((text) => text ?? 'null').join(', ');
}

/** PostgreSQL shortens the values of a failing row to this many bytes. */
const SHOWN_BYTES = 64;
/** Types whose values are usually printed as they were sent. */
const VERBATIM = new Set<Column['kind']>(['int2', 'int4', 'int8', 'uuid', 'text', 'varchar', 'date', 'enum']);

/**
 * True when the row has the operation's values, in the order of the columns. A value that is not known, or may be
 * printed differently, matches any text.
 */
function isRow(operation: BoundOperation, row: string): boolean {
  let end = 0;
  let adjacent = true;
  let found = false;
  for (const column of operation.table.columns.values()) {
    const text = storedText(operation, column);
    if (text === undefined) {
      adjacent = false;
      continue;
    }
    const start = end === 0 ? 0 : end + ', '.length;
    const at = adjacent ? (row.startsWith(text, start) ? start : -1) : row.indexOf(text, start);
    if (at < 0) return false;
    end = at + text.length;
    adjacent = true;
    found = true;
  }
  return found;
}

/** As the row shows it. Undefined when that is not known. */
function storedText(operation: BoundOperation, column: Column): string | undefined {
  const { kind } = operation;
  const given = kind === 'increment' ? undefined : givenText(operation, column.name);
  const text = firstKnown(given, keyText(operation, column.name));
  if (text === undefined) return undefined;
  if (text === null) return 'null';
  if (!VERBATIM.has(column.kind)) return undefined;
  const bytes = Buffer.from(text);
  if (bytes.length <= SHOWN_BYTES) return text;
  let end = SHOWN_BYTES;
  // The remainder of a character that was cut is not shown.
  while (isWithinCharacter(bytes[end]!)) end -= 1;
  return `${bytes.subarray(0, end).toString()}...`;
}

/** In UTF-8, all bytes of a character except the first begin with the bits 10. */
const isWithinCharacter = (byte: number): boolean => (byte & 0xc0) === 0x80;

const NUMERIC = new Set<Column['kind']>(['int2', 'int4', 'int8', 'numeric']);

/**
 * A check names the row and not the column. So other operations count as similar if they set all columns that the check
 * may look at to the same values. If a single number is compared with constants, they also count if their value is
 * further beyond it.
 */
function alike(named: BoundOperation, operations: readonly BoundOperation[], constraint: string | undefined): Matcher {
  const { table, valueColumns } = named;
  const keys = new Set(table.uniqueKeys.flatMap(({ columns }) => columns));
  for (const { childColumns } of table.foreignKeys) childColumns.forEach((name) => keys.add(name));
  const candidates = valueColumns.filter(({ name, freedom }) => freedom !== 'free' && !keys.has(name));
  // The name that PostgreSQL gives to a check of one column.
  const byName = candidates.find(({ name }) => constraint === `${table.name}_${name}_check`);
  const checked = byName === undefined ? candidates : [byName];
  const [only, ...others] = checked;
  if (named.kind === 'increment' || only === undefined) return () => false;
  if (others.length === 0 && NUMERIC.has(only.kind)) return beyond(named, only.name, operations);
  return (operation) => checked.every(({ name }) => givenText(operation, name) === givenText(named, name));
}

/** The operations on that side of a number on which there are fewer. */
function beyond(named: BoundOperation, column: string, operations: readonly BoundOperation[]): Matcher {
  const valueOf = (operation: BoundOperation): number => Number(givenText(operation, column) ?? NaN);
  const limit = valueOf(named);
  const below: Matcher = (operation) => valueOf(operation) <= limit;
  const above: Matcher = (operation) => valueOf(operation) >= limit;
  return operations.filter(below).length < operations.filter(above).length ? below : above;
}

/** The value to which the operation sets the column. */
function givenText(operation: BoundOperation, name: string): string | null | undefined {
  return textOf(operation, name, givenValue(operation, name));
}

/** The value by which the operation finds its row. */
function keyText(operation: BoundOperation, name: string): string | null | undefined {
  return textOf(operation, name, keyValue(operation, name));
}

function textOf({ table }: BoundOperation, name: string, value: GivenValue | undefined): string | null | undefined {
  const column = table.columns.get(name);
  return column === undefined || value === undefined ? undefined : encodeValue(value, column);
}

const firstKnown = <T>(one: T | undefined, other: T | undefined): T | undefined => (one === undefined ? other : one);
