import { groupBy } from '../values/group-by.js';
import { cascadeReach, changesRows, type ForeignKeys } from './cascade-reach.js';
import type { CascadeReach, ForeignKey } from './table.js';
import { tableId, type TargetName } from './target-name.js';
import type { HazardRow, OverviewRow } from './overview.sql.js';

export interface Relation extends TargetName {
  oid: number;
  /** `pg_class.relkind`. */
  kind: string;
}

/** How the tables of a database depend on one another. */
export interface CatalogGraph {
  /** All relations by `Table.id`. */
  relations: ReadonlyMap<string, Relation>;
  foreignKeysOf(id: string): readonly ForeignKey[];
  referencesTo(id: string): readonly ForeignKey[];
  /** See `Table.reach`. */
  reach(id: string): CascadeReach | undefined;
  /** See `Table.opaque`. */
  opaque(id: string): string | undefined;
  /** See `Table.group`. It is the same in every process. */
  group(id: string): string;
  /** Why all tables are one group. Undefined when foreign keys decide the group of each table. */
  tie: string | undefined;
}

/** @param isSerial true for tables whose operations must run one by one, whatever the catalog says of them */
export function toCatalogGraph(overview: OverviewRow, isSerial: (table: TargetName) => boolean): CatalogGraph {
  const relations = new Map<string, Relation>();
  const idOf = new Map<number, string>();
  for (const [oid, schema, name, kind] of overview.relations) {
    const id = tableId({ schema, name });
    relations.set(id, { oid, schema, name, kind });
    idOf.set(oid, id);
  }
  const keys = toForeignKeys(overview, idOf);
  const hazards = [...toHazards(overview, idOf), ...serialHazards(relations, isSerial)];
  const opaque = opaqueTables(hazards, partitionsOf(overview, relations, idOf), keys.all);
  const tie = tieOf(hazards);
  const links = [...overview.inheritance, ...overview.sharedSequences].flatMap((oids): Link[] => {
    const [first, ...others] = oids.map((oid) => idOf.get(oid)).filter((id) => id !== undefined);
    return first === undefined ? [] : others.map((other) => [first, other]);
  });
  const smallest = components([...links, ...keys.all.map((key): Link => [key.child, key.parent])]);
  return {
    relations,
    foreignKeysOf: keys.foreignKeysOf,
    referencesTo: keys.referencesTo,
    reach: (id) => cascadeReach(id, keys),
    opaque: (id) => opaque.get(id),
    group: (id) => (tie === undefined ? (smallest.get(id) ?? id) : ALL_TABLES),
    tie,
  };
}

/** The group of every table when all are tied. No table has this name, because it has no schema. */
const ALL_TABLES = '*';

type Link = readonly [string, string];
type Hazard = Omit<HazardRow, 'table'> & { table: string };

function toForeignKeys(
  overview: OverviewRow,
  idOf: ReadonlyMap<number, string>,
): ForeignKeys & { all: readonly ForeignKey[] } {
  const colliding = new Set<ForeignKey>();
  const all = overview.foreignKeys.map(({ nullsCollide, ...row }): ForeignKey => {
    const key = { ...row, child: idOf.get(row.child) ?? '', parent: idOf.get(row.parent) ?? '' };
    if (nullsCollide) colliding.add(key);
    return key;
  });
  const children = groupBy(all, (key) => key.child);
  const parents = groupBy(all, (key) => key.parent);
  return {
    all,
    foreignKeysOf: (id) => children.get(id) ?? [],
    referencesTo: (id) => parents.get(id) ?? [],
    nullsCollide: (key) => colliding.has(key),
  };
}

function toHazards({ hazards }: OverviewRow, idOf: ReadonlyMap<number, string>): Hazard[] {
  return hazards.flatMap((row) => {
    const table = idOf.get(row.table);
    return table === undefined ? [] : [{ ...row, table }];
  });
}

function serialHazards(relations: ReadonlyMap<string, Relation>, isSerial: (table: TargetName) => boolean): Hazard[] {
  return [...relations]
    .filter(([, relation]) => isSerial(relation))
    .map(([table]) => ({ table, reason: 'is listed in BATCH_SERIAL_TARGETS', ties: false }));
}

/** Each partition with its parent, which may be a partition itself. */
function partitionsOf(
  { inheritance }: OverviewRow,
  relations: ReadonlyMap<string, Relation>,
  idOf: ReadonlyMap<number, string>,
): Map<string, string> {
  const partitions = new Map<string, string>();
  for (const oids of inheritance) {
    const [child, parent] = oids.map((oid) => idOf.get(oid));
    if (child === undefined || parent === undefined) continue;
    if (relations.get(parent)?.kind === 'p') partitions.set(child, parent);
  }
  return partitions;
}

/**
 * Tables that have a hazard themselves or in a partition, and tables whose deletes or updates change rows of such a
 * table.
 */
function opaqueTables(
  hazards: readonly Hazard[],
  partitions: ReadonlyMap<string, string>,
  foreignKeys: readonly ForeignKey[],
): Map<string, string> {
  const opaque = new Map<string, string>();
  const add = (table: string, reason: string): void => {
    if (!opaque.has(table)) opaque.set(table, `${table} ${reason}`);
  };
  for (const { table, reason } of hazards) add(table, reason);
  for (const { table, reason } of hazards) {
    for (let root = partitions.get(table); root !== undefined; root = partitions.get(root)) {
      add(root, `has a partition that ${reason}`);
    }
  }
  for (const partition of partitions.keys()) add(partition, 'is a partition');
  const writing = groupBy(
    foreignKeys.filter((key) => changesRows(key.onDelete) || changesRows(key.onUpdate)),
    (key) => key.child,
  );
  // A Map also iterates over entries that are added during the loop, so this reaches the parents of parents.
  for (const [child, reason] of opaque) {
    for (const { parent, name } of writing.get(child) ?? []) {
      if (!opaque.has(parent)) opaque.set(parent, `the foreign key ${name} changes rows of ${child}, and ${reason}`);
    }
  }
  return opaque;
}

/**
 * A trigger, a rule or a user's function may read and write any table, and the catalog does not say which. If there is
 * one anywhere, all tables are one group, because foreign keys no longer show what influences what.
 */
function tieOf(hazards: readonly Hazard[]): string | undefined {
  const tying = hazards.find((hazard) => hazard.ties);
  return tying && `${tying.table} ${tying.reason}`;
}

/** Each linked table with the smallest name among the tables that are connected with it. */
function components(links: readonly Link[]): Map<string, string> {
  const root = new Map<string, string>();
  const find = (id: string): string => {
    let at = id;
    for (let up = root.get(at); up !== undefined && up !== at; up = root.get(at)) {
      root.set(at, root.get(up) ?? up);
      at = up;
    }
    return at;
  };
  for (const [one, other] of links) {
    const a = find(one);
    const b = find(other);
    root.set(a, a < b ? a : b);
    root.set(b, a < b ? a : b);
  }
  return new Map([...root.keys()].map((id) => [id, find(id)]));
}
