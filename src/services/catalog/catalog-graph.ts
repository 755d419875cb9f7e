import { createHash } from 'node:crypto';
import { LANES, type ForeignKey } from './table.js';
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
  /** See `Table.opaque`. */
  opaque(id: string): string | undefined;
  /** See `Table.lane`. */
  lane(id: string): number;
  /** Why all tables share one lane; undefined when each has the lane of its foreign keys. */
  tie: string | undefined;
}

export function toCatalogGraph(overview: OverviewRow): CatalogGraph {
  const relations = new Map<string, Relation>();
  const idOf = new Map<number, string>();
  for (const [oid, schema, name, kind] of overview.relations) {
    const id = tableId({ schema, name });
    relations.set(id, { oid, schema, name, kind });
    idOf.set(oid, id);
  }
  const named = (oid: number): string => idOf.get(oid) ?? '';
  const foreignKeys = overview.foreignKeys.map((row): ForeignKey => ({
    ...row,
    child: named(row.child),
    parent: named(row.parent),
  }));
  const children = groupBy(foreignKeys, (key) => key.child);
  const parents = groupBy(foreignKeys, (key) => key.parent);
  const hazards = overview.hazards.flatMap((row): Hazard[] => {
    const table = idOf.get(row.table);
    return table === undefined ? [] : [{ ...row, table }];
  });
  const opaque = opaqueTables(hazards, foreignKeys);
  const tie = tieOf(hazards);
  const links = [...overview.inheritance, ...overview.sharedSequences].flatMap((oids): Link[] => {
    const [first, ...others] = oids.map((oid) => idOf.get(oid)).filter((id) => id !== undefined);
    return first === undefined ? [] : others.map((other) => [first, other]);
  });
  const smallest = components([...links, ...foreignKeys.map((key): Link => [key.child, key.parent])]);
  return {
    relations,
    foreignKeysOf: (id) => children.get(id) ?? [],
    referencesTo: (id) => parents.get(id) ?? [],
    opaque: (id) => opaque.get(id),
    lane: (id) => (tie === undefined ? laneOf(smallest.get(id) ?? id) : 0),
    tie,
  };
}

type Link = readonly [string, string];
type Hazard = Omit<HazardRow, 'table'> & { table: string };

/** Tables with a hazard of their own, and those whose deletes or updates carry on into one that is opaque. */
function opaqueTables(hazards: readonly Hazard[], foreignKeys: readonly ForeignKey[]): Map<string, string> {
  const opaque = new Map<string, string>();
  for (const { table, reason } of hazards) {
    if (!opaque.has(table)) opaque.set(table, `${table} ${reason}`);
  }
  const writing = groupBy(
    foreignKeys.filter((key) => writes(key.onDelete) || writes(key.onUpdate)),
    (key) => key.child,
  );
  // A Map iterates over what is added while it is walked, so this reaches the parents of parents too.
  for (const [child, reason] of opaque) {
    for (const { parent, name } of writing.get(child) ?? []) {
      if (!opaque.has(parent)) opaque.set(parent, `the foreign key ${name} changes rows of ${child}, and ${reason}`);
    }
  }
  return opaque;
}

function writes(action: ForeignKey['onDelete']): boolean {
  return action !== 'no action' && action !== 'restrict';
}

/**
 * A trigger, a rule or a user's function may read and write any table, and the catalog does not tell which. One of them
 * anywhere ties all tables together, since foreign keys no longer say what influences what.
 */
function tieOf(hazards: readonly Hazard[]): string | undefined {
  const tying = hazards.find((hazard) => hazard.ties);
  return tying && `${tying.table} ${tying.reason}`;
}

/** Each linked table with the smallest name among those it is connected with. */
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

/** Every process has to come to the same lane, so the hash depends on the name alone. */
function laneOf(id: string): number {
  return createHash('sha256').update(id).digest().readUInt32BE() % LANES;
}

function groupBy<T>(items: readonly T[], keyOf: (item: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const item of items) {
    const group = groups.get(keyOf(item));
    if (group === undefined) groups.set(keyOf(item), [item]);
    else group.push(item);
  }
  return groups;
}
