import { primaryKey, uniqueKeyOver, type Table, type UniqueKey } from '../catalog/table.js';
import { isTellable, type BoundOperation } from './bound-operation.js';
import { NOTHING_KNOWN, type Knowledge } from './knowledge.js';
import type { Group, Placement, Plan } from './plan.js';
import { resourcesOf, type Identity } from './resources.js';
import type { Rule } from './rules.js';

export interface PlanOptions {
  /** Rules to leave out: only for tests that show what each rule is for. */
  without?: ReadonlySet<Rule>;
}

/**
 * Puts operations into few groups with the effect of one by one: each goes into the first group of its signature that
 * lies after every group with an operation it conflicts with. To find the fewest possible is a shortest common
 * supersequence, which is NP-hard; first fit comes close. Pure.
 */
export function planOperations(
  operations: readonly BoundOperation[],
  _knowledge: Knowledge = NOTHING_KNOWN,
  _options: PlanOptions = {},
): Plan {
  const identity = chooseIdentities(operations);
  const groups: Group[] = [];
  const placements: Placement[] = [];
  const groupsBySignature = new Map<string, number[]>();
  const lastMark = new Map<string, number>();

  for (const operation of operations) {
    const { needs, marks, notBefore } = resourcesOf(operation, identity);
    let lowest = 0;
    for (const token of needs) lowest = Math.max(lowest, (lastMark.get(token) ?? -1) + 1);
    for (const token of notBefore) lowest = Math.max(lowest, lastMark.get(token) ?? 0);

    const index = place(operation, lowest, groups, groupsBySignature);
    placements.push({ group: index });
    for (const token of marks) lastMark.set(token, Math.max(index, lastMark.get(token) ?? 0));
  }
  return { operations, groups, placements };
}

/** One operation a group, in the order given: for targets that defy planning, and as the measure of the plan above. */
export function planSerially(operations: readonly BoundOperation[]): Plan {
  return {
    operations,
    groups: operations.map((operation) => ({ signature: signatureOf(operation), operations: [operation] })),
    placements: operations.map((_, group) => ({ group })),
  };
}

function place(
  operation: BoundOperation,
  lowest: number,
  groups: Group[],
  groupsBySignature: Map<string, number[]>,
): number {
  const signature = signatureOf(operation);
  if (!isTellable(operation)) return groups.push({ signature, operations: [operation] }) - 1;
  const candidates = groupsBySignature.get(signature) ?? [];
  const found = candidates[firstAtLeast(candidates, lowest)];
  if (found !== undefined) {
    groups[found]!.operations.push(operation);
    return found;
  }
  groups.push({ signature, operations: [operation] });
  candidates.push(groups.length - 1);
  groupsBySignature.set(signature, candidates);
  return groups.length - 1;
}

/** Index of the first number that is at least `lowest` in an ascending list. */
function firstAtLeast(ascending: readonly number[], lowest: number): number {
  let low = 0;
  let high = ascending.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (ascending[middle]! < lowest) low = middle + 1;
    else high = middle;
  }
  return low;
}

function signatureOf({ kind, table, keyColumns, valueColumns }: BoundOperation): string {
  const names = (columns: BoundOperation['keyColumns']) => columns.map(({ name }) => JSON.stringify(name)).join(',');
  return `${kind} ${table.id} (${names(keyColumns)}) (${names(valueColumns)})`;
}

const anyKey = (table: Table): UniqueKey | undefined => primaryKey(table) ?? table.uniqueKeys[0];

/** The key that all operations of the chunk name a table's rows by, else its primary key, else any. */
function chooseIdentities(operations: readonly BoundOperation[]): Identity {
  const used = new Map<string, { table: Table; keys: Map<string, UniqueKey> }>();
  for (const { table, keyColumns } of operations) {
    if (keyColumns.length === 0) continue;
    const entry = used.get(table.id) ?? { table, keys: new Map<string, UniqueKey>() };
    const key = uniqueKeyOver(
      table,
      keyColumns.map(({ name }) => name),
    );
    if (key !== undefined) entry.keys.set(key.name, key);
    used.set(table.id, entry);
  }
  const chosen = new Map<string, UniqueKey | undefined>();
  for (const [id, { table, keys }] of used) chosen.set(id, keys.size === 1 ? [...keys.values()][0] : anyKey(table));
  return (table) => (chosen.has(table.id) ? chosen.get(table.id) : anyKey(table));
}
