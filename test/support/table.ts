import type { Column, ColumnKind, ForeignKey, Table, UniqueKey } from '../../src/services/catalog/table.js';

/** A column as the catalog describes it; `kind` is its type as well. */
export function column(name: string, kind: ColumnKind, overrides: Partial<Column> = {}): Column {
  return {
    name,
    type: kind,
    kind,
    storedType: kind,
    family: ['int2', 'int4', 'int8'].includes(kind) ? 'integer' : kind,
    familyType: { type: kind, collation: undefined },
    constraintFreedom: 'unconstrained',
    precision: undefined,
    maxLength: undefined,
    notNull: false,
    default: 'none',
    defaultOfTransaction: false,
    sequences: [],
    writable: true,
    comparesAsText: !['numeric', 'float', 'json', 'array', 'other'].includes(kind),
    equals: '=',
    ...overrides,
  };
}

export function uniqueKey(columns: string[], overrides: Partial<UniqueKey> = {}): UniqueKey {
  return {
    name: `${columns.join('_')}_key`,
    columns,
    primary: false,
    deferrable: false,
    nullsNotDistinct: false,
    ...overrides,
  };
}

export function foreignKey(
  overrides: Partial<ForeignKey> & Pick<ForeignKey, 'child' | 'childColumns' | 'parent'>,
): ForeignKey {
  return {
    name: `${overrides.child}_fkey`,
    parentColumns: ['id'],
    onDelete: 'no action',
    onUpdate: 'no action',
    sameTypes: true,
    ...overrides,
  };
}

/** A table in schema `public` with primary key `id`, unless said otherwise. */
export function table(name: string, columns: Column[], overrides: Partial<Table> = {}): Table {
  return {
    id: `public.${name}`,
    schema: 'public',
    name,
    sql: `"public"."${name}"`,
    columns: new Map(columns.map((each) => [each.name, each])),
    uniqueKeys: [uniqueKey(['id'], { primary: true })],
    exclusionRules: [],
    foreignKeys: [],
    referencedBy: [],
    reach: undefined,
    opaque: undefined,
    group: 'public.tied',
    ...overrides,
  };
}
