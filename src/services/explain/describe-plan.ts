import type { IGroup } from '../../interfaces/plan.js';
import { composeStatement } from '../composer/compose-statement.js';
import { isTellable, type BoundOperation } from '../planner/bound-operation.js';
import { originalsOf, type Group, type Plan } from '../planner/plan.js';
import { RULES } from '../planner/rules.js';

/** A group for human readers. Operations are indexes into `Plan.operations`. */
export interface GroupDescription extends IGroup {
  operations: number[];
  /** The operations that became one row, each list in its order. */
  folded: number[][];
}

/**
 * The reason for a group that no rule of the planner explains: its operation waits for no other, but cannot share a
 * statement. See `isTellable`.
 */
const ALONE = {
  rule: 'no unique key',
  meaning:
    "an insert with onConflict 'ignore' that does not give all columns of a unique key is executed alone: " +
    'a statement with several of them would not show which rows were new',
} as const;

/** A limit, because a resource may contain a value of any length. */
const MAX_RESOURCE_LENGTH = 200;

/**
 * Describes the first groups of a plan, executed or not: the statement of each, and why it had to be separate. Pure.
 */
export function describePlan(plan: Plan, limit = Infinity): GroupDescription[] {
  const groups = plan.groups.slice(0, limit);
  const members = groups.map((): number[] => []);
  for (const [operation, { group }] of plan.placements.entries()) members[group]?.push(operation);
  const indexOf = indexOperations(plan, groups);
  const latest = new Map<string, number>();
  const texts = new Map<string, string>();
  return groups.map((group, index) => {
    const shape = group.operations[0]!;
    const because = reasonFor(plan, members, index, latest.get(group.signature));
    latest.set(group.signature, index);
    const { opaque } = shape.table;
    return {
      kind: shape.kind,
      target: shape.table.id,
      keyColumns: namesOf(shape.keyColumns),
      valueColumns: namesOf(shape.valueColumns),
      sql: textOf(group, texts),
      operations: members[index]!,
      folded: foldsOf(group).map((originals) => originals.map((operation) => indexOf.get(operation)!)),
      ...(because !== undefined && { because }),
      ...(opaque !== undefined && { opaque }),
    };
  });
}

/** Each text once: a thousand similar groups share it. */
function textOf({ operations }: Group, known: Map<string, string>): string {
  // A single row may have another text.
  const [shape] = operations;
  const isLone = operations.length === 1;
  const name = `${isLone} ${shape!.signature}`;
  const made = known.get(name);
  if (made !== undefined) return made;
  const { text, lone } = composeStatement(shape!);
  const shown = isLone ? (lone ?? text) : text;
  known.set(name, shown);
  return shown;
}

/**
 * Why the operation that opened a group did not join the latest group of the same statement. A plan that groups nothing
 * has no reasons.
 */
function reasonFor(
  { operations, placements }: Plan,
  members: readonly (readonly number[])[],
  group: number,
  earlier: number | undefined,
): IGroup['because'] {
  if (earlier === undefined) return undefined;
  const opener = members[group]![0]!;
  const wait = placements[opener]!.waitsFor;
  // The wait explains this only if the earlier operation is in the group that this one might have joined, or in a later
  // group.
  if (wait !== undefined && placements[wait.operation]!.group >= earlier) {
    return { ...wait, meaning: RULES[wait.rule], resource: shorten(wait.resource) };
  }
  const before = members[earlier]![0]!;
  if (isTellable(operations[opener]!) && isTellable(operations[before]!)) return undefined;
  return { operation: before, ...ALONE, resource: operations[opener]!.table.id };
}

function indexOperations({ operations }: Plan, groups: readonly Group[]): ReadonlyMap<BoundOperation, number> {
  if (!groups.some((group) => foldsOf(group).length > 0)) return new Map();
  return new Map(operations.map((operation, index) => [operation, index]));
}

const foldsOf = ({ operations }: Group): (readonly BoundOperation[])[] =>
  operations.filter(({ folded }) => folded !== undefined).map(originalsOf);

const namesOf = (columns: BoundOperation['keyColumns']): string[] => columns.map(({ name }) => name);

export function shorten(resource: string): string {
  if (resource.length <= MAX_RESOURCE_LENGTH) return resource;
  // By characters, because half of a surrogate pair is not valid text.
  return `${[...resource.slice(0, MAX_RESOURCE_LENGTH)].slice(0, -1).join('')}…`;
}
