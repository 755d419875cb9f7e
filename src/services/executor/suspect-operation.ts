import type { DatabaseErrorFields } from '../database/sql-state.js';
import { encodeValue } from '../composer/encode-value.js';
import { givenValue, keyValue, type BoundOperation } from '../planner/bound-operation.js';

/**
 * The operation that the database's error seems to name, by index. Texts of PostgreSQL may be translated or shortened and
 * values may be spelled differently, so it is a hint and nothing more: blame comes from running that operation alone.
 */
export function suspectOperation(
  error: DatabaseErrorFields,
  operations: readonly BoundOperation[],
): number | undefined {
  const finders = [namedByKey, namedByRow, namedByLiteral, tooLong];
  for (const finder of finders) {
    const matches = finder(error);
    const index = matches === undefined ? -1 : operations.findIndex(matches);
    if (index >= 0) return index;
  }
  return undefined;
}

type Matcher = (operation: BoundOperation) => boolean;

/** `Key (a, b)=(1, x) already exists.` */
function namedByKey({ detail }: DatabaseErrorFields): Matcher | undefined {
  const match = /\((.+?)\)=\((.*)\)/s.exec(detail ?? '');
  if (match === null) return undefined;
  const columns = match[1]!.split(', ').map(unquote);
  const values = columns.length === 1 ? [match[2]!] : match[2]!.split(', ');
  return (operation) => columns.every((column, index) => textOf(operation, column) === values[index]);
}

/** `Failing row contains (1, x, null).`: every column in the table's order. */
function namedByRow({ detail }: DatabaseErrorFields): Matcher | undefined {
  const match = /\((.*)\)/s.exec(detail ?? '');
  if (match === null) return undefined;
  const values = match[1]!.split(', ');
  return (operation) => {
    const names = [...operation.table.columns.keys()];
    if (names.length !== values.length) return false;
    const given = names.filter((name) => textOf(operation, name) !== undefined);
    return (
      given.length > 0 && given.every((name) => (textOf(operation, name) ?? 'null') === values[names.indexOf(name)])
    );
  };
}

/** `invalid input syntax for type integer: "x"` */
function namedByLiteral({ message }: DatabaseErrorFields): Matcher | undefined {
  const literal = /"(.+)"/s.exec(message)?.[1];
  if (literal === undefined) return undefined;
  return (operation) =>
    [...operation.valueColumns, ...operation.keyColumns].some(({ name }) => textOf(operation, name) === literal);
}

/** PostgreSQL does not say which value was too long. */
function tooLong({ code }: DatabaseErrorFields): Matcher | undefined {
  if (code !== '22001') return undefined;
  return (operation) =>
    operation.valueColumns.some(
      ({ name, maxLength }) => maxLength !== undefined && [...(textOf(operation, name) ?? '')].length > maxLength,
    );
}

function textOf(operation: BoundOperation, name: string): string | null | undefined {
  const column = operation.table.columns.get(name);
  const value = givenValue(operation, name) ?? keyValue(operation, name);
  return column === undefined || value === undefined ? undefined : encodeValue(value, column);
}

const unquote = (name: string): string => (name.startsWith('"') ? name.slice(1, -1).replaceAll('""', '"') : name);
