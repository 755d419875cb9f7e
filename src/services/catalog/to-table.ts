import { ownValue } from '../values/own-value.js';
import type { CatalogGraph } from './catalog-graph.js';
import type { CheckExpressions } from './check-expressions.js';
import { isConvexCheck } from './is-convex-check.js';
import {
  INTEGER_KINDS,
  UNKNOWN_SEQUENCE,
  type Column,
  type ColumnKind,
  type Table,
  type ExclusionRule,
} from './table.js';
import type { CheckRow, ColumnRow, TableRow, ExclusionRuleRow } from './tables.sql.js';
import { quoteIdentifier, tableId, tableSql } from './target-name.js';

const BUILT_IN_KINDS: Readonly<Record<string, ColumnKind>> = {
  int2: 'int2',
  int4: 'int4',
  int8: 'int8',
  numeric: 'numeric',
  float4: 'float',
  float8: 'float',
  bool: 'boolean',
  uuid: 'uuid',
  text: 'text',
  varchar: 'varchar',
  bpchar: 'bpchar',
  date: 'date',
  json: 'json',
  jsonb: 'json',
};
/** `atttypmod` of varchar, bpchar and numeric includes these bytes. */
const TYPMOD_HEADER = 4;
const SEQUENCE_DEFAULT = /^nextval\(\(?'(?:[^']|'')+'(?:::text\))?::regclass\)$/;
/**
 * The dependencies of a default contain only sequences that are named as such. A sequence that is named by a text is
 * looked up at run time.
 */
const SEQUENCE_FOUND_LATER = /\blastval\(|\b(?:nextval|currval|setval)\((?!'(?:[^']|'')+'::regclass\b)/;
const RANDOM_UUID_DEFAULT = /^(?:[\w$]+\.|"[^"]+"\.)?(?:gen_random_uuid|uuid_generate_v4|uuidv4|uuidv7)\(\)$/;
const TRANSACTION_DEFAULT =
  /\b(?:now|transaction_timestamp|pg_current_xact_id|txid_current)\(|\bCURRENT_(?:TIMESTAMP|TIME|DATE)\b|\bLOCALTIME(?:STAMP)?\b/i;

/** @returns undefined when the row and the graph are of different moments: both have to be read again */
export function toTable(row: TableRow, graph: CatalogGraph, expressions: CheckExpressions): Table | undefined {
  const id = tableId(row);
  if (graph.relations.get(id)?.oid !== row.oid) return undefined;
  const table: Table = {
    id,
    schema: row.schema,
    name: row.name,
    sql: tableSql(row),
    columns: new Map(row.columns.map((column) => [column.name, toColumn(column, row.checks, expressions)])),
    uniqueKeys: row.uniqueKeys,
    exclusionRules: row.exclusionRules.map((rule) => toExclusionRule(rule, row.columns)),
    foreignKeys: graph.foreignKeysOf(id),
    referencedBy: graph.referencesTo(id),
    reach: graph.reach(id),
    opaque: graph.opaque(id),
    group: graph.group(id),
  };
  return hasColumnsOfItsKeys(table) ? table : undefined;
}

/** What depends on a generated column depends on the columns that it is computed from. */
function toExclusionRule({ depends, columns, ...rule }: ExclusionRuleRow, all: readonly ColumnRow[]): ExclusionRule {
  const generated = all.some((column) => column.generated !== '' && depends.includes(column.name));
  return { ...rule, columns: columns ?? undefined, depends: generated ? all.map(({ name }) => name) : depends };
}

function hasColumnsOfItsKeys({ columns, foreignKeys, referencedBy }: Table): boolean {
  return (
    foreignKeys.every((key) => key.childColumns.every((column) => columns.has(column))) &&
    referencedBy.every((key) => key.parentColumns.every((column) => columns.has(column)))
  );
}

function toColumn(row: ColumnRow, checks: readonly CheckRow[], expressions: CheckExpressions): Column {
  const kind = kindOf(row);
  const familyType = familyTypeOf(kind, row);
  return {
    name: row.name,
    type: row.type,
    kind,
    storedType: row.storedType,
    family: familyOf(kind, familyType),
    familyType,
    constraintFreedom: constraintFreedomOf(row, kind, checks, expressions),
    precision: precisionOf(kind, row.typmod),
    maxLength: maxLengthOf(kind, row.typmod),
    notNull: row.notNull,
    default: defaultOf(row),
    defaultOfTransaction: row.generated === '' && TRANSACTION_DEFAULT.test(row.default ?? ''),
    sequences: sequencesOf(row),
    writable: row.generated === '' && row.identity !== 'a',
    // The catalog does not say how equal values of an extension's type or of an array look. citext is such a type.
    comparesAsText: row.collation === null && kind !== 'other' && kind !== 'array',
    equals: equalsOf(row),
  };
}

function kindOf({ isEnum, isArray, builtIn }: ColumnRow): ColumnKind {
  if (isEnum) return 'enum';
  if (isArray) return 'array';
  return ownValue(BUILT_IN_KINDS, builtIn ?? '') ?? 'other';
}

/** See `Column.constraintFreedom`. */
function constraintFreedomOf(
  column: ColumnRow,
  kind: ColumnKind,
  checks: readonly CheckRow[],
  expressions: CheckExpressions,
): Column['constraintFreedom'] {
  if (column.constrained) return 'constrained';
  const looking = checks.filter(({ columns }) => columns.length === 0 || columns.includes(column.name));
  if (looking.length === 0) return 'unconstrained';
  // Casts from one of these kinds to another keep the order of values.
  const ordered = INTEGER_KINDS.has(kind) || kind === 'numeric';
  return ordered && looking.every((check) => bounds(check, expressions, column.name)) ? 'rangeChecked' : 'constrained';
}

/** Existing rows may violate a check that is not validated. */
function bounds({ oid, validated }: CheckRow, expressions: CheckExpressions, column: string): boolean {
  const expression = expressions.get(oid);
  return validated && expression !== undefined && isConvexCheck(expression, column);
}

/** Integers of all sizes compare as the largest. All deterministic collations treat the same texts as equal. */
function familyTypeOf(kind: ColumnKind, { type, collation }: ColumnRow): Column['familyType'] {
  return {
    type: INTEGER_KINDS.has(kind) ? 'int8' : type,
    collation: collation === null ? undefined : collation.map(quoteIdentifier).join('.'),
  };
}

function familyOf(kind: ColumnKind, { type, collation }: Column['familyType']): string {
  if (INTEGER_KINDS.has(kind)) return 'integer';
  return collation === undefined ? type : `${type} collate ${collation}`;
}

/** The scale is a signed number of 11 bits: `numeric(3, -2)` counts whole hundreds. */
function precisionOf(kind: ColumnKind, typmod: number): Column['precision'] {
  if (kind !== 'numeric' || typmod < TYPMOD_HEADER) return undefined;
  const packed = typmod - TYPMOD_HEADER;
  return { digits: (packed >> 16) & 0xffff, scale: ((packed & 0x7ff) ^ 1024) - 1024 };
}

function maxLengthOf(kind: ColumnKind, typmod: number): number | undefined {
  const limited = (kind === 'varchar' || kind === 'bpchar') && typmod >= TYPMOD_HEADER;
  return limited ? typmod - TYPMOD_HEADER : undefined;
}

function defaultOf({ identity, generated, default: expression }: ColumnRow): Column['default'] {
  if (identity !== '') return 'generated';
  if (expression === null) return 'none';
  const fresh = SEQUENCE_DEFAULT.test(expression) || RANDOM_UUID_DEFAULT.test(expression);
  return fresh && generated === '' ? 'generated' : 'other';
}

function sequencesOf({ sequences, default: expression }: ColumnRow): string[] {
  const named = sequences.map(([schema, name]) => tableId({ schema, name }));
  return SEQUENCE_FOUND_LATER.test(expression ?? '') ? [...named, UNKNOWN_SEQUENCE] : named;
}

/** Types without their own operator (arrays, enums, ranges) share one of PostgreSQL's. */
function equalsOf({ equality }: ColumnRow): string {
  if (equality === null) return '=';
  const [schema, operator] = equality;
  return schema === 'pg_catalog' && operator === '=' ? '=' : `operator(${quoteIdentifier(schema)}.${operator})`;
}
