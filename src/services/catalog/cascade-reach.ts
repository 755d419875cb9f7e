import type { CascadeReach, ForeignKey, ReferentialAction } from './table.js';

/** What must be known of the foreign keys of a database. */
export interface ForeignKeys {
  foreignKeysOf: (id: string) => readonly ForeignKey[];
  referencesTo: (id: string) => readonly ForeignKey[];
  /** True when two rows that the foreign key sets to NULL may then violate a unique key. */
  nullsCollide: (key: ForeignKey) => boolean;
}

/** True when the action changes rows of the referencing table instead of refusing the statement. */
export function changesRows(action: ReferentialAction): boolean {
  return action !== 'no action' && action !== 'restrict';
}

/** See `Table.reach`. */
export function cascadeReach(id: string, foreignKeys: ForeignKeys): CascadeReach | undefined {
  const carrying = carryingKeys(id, foreignKeys);
  if (carrying.length === 0) return undefined;
  const tables = [...new Set(carrying.map(({ child }) => child))];
  const reachedOnce = tables.length === carrying.length && !tables.includes(id);
  return {
    simple: reachedOnce && carrying.every((key) => endsWell(key, foreignKeys)),
    tables,
    releases: carrying
      .flatMap((key) => releasedBy(key, foreignKeys))
      .filter((key) => !carrying.includes(key))
      .map(({ parent, parentColumns }) => ({ parent, parentColumns })),
  };
}

/**
 * Foreign keys through which the delete of a row changes other rows. It continues only from rows that are deleted too.
 */
function carryingKeys(id: string, { referencesTo }: ForeignKeys): ForeignKey[] {
  const keys: ForeignKey[] = [];
  const deleted = new Set([id]);
  // A Set also iterates over elements that are added during the loop, so this reaches the children of children.
  for (const parent of deleted) {
    for (const key of referencesTo(parent)) {
      if (!changesRows(key.onDelete)) continue;
      keys.push(key);
      if (key.onDelete === 'cascade') deleted.add(key.child);
    }
  }
  return keys;
}

/** True when nothing else decides what happens to the rows that the key reaches. */
function endsWell(key: ForeignKey, { referencesTo, nullsCollide }: ForeignKeys): boolean {
  const references = referencesTo(key.child);
  switch (key.onDelete) {
    case 'cascade':
      return references.every(({ onDelete }) => changesRows(onDelete));
    case 'set null':
      return !nullsCollide(key) && !references.some(({ parentColumns }) => overlap(parentColumns, key.childColumns));
    case 'set default':
    case 'no action':
    case 'restrict':
      return false;
    default:
      return key.onDelete satisfies never;
  }
}

/** A deleted row gives up all its references. A row that is set to NULL gives up the references by the same columns. */
function releasedBy(key: ForeignKey, { foreignKeysOf }: ForeignKeys): ForeignKey[] {
  return foreignKeysOf(key.child).filter(
    ({ childColumns }) => key.onDelete === 'cascade' || overlap(childColumns, key.childColumns),
  );
}

function overlap(some: readonly string[], others: readonly string[]): boolean {
  return some.some((one) => others.includes(one));
}
