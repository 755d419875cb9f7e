import { mapInSteps, runSteps, type Steps } from '../steps/steps.js';
import { stringifyJson } from '../values/exact-json.js';
import { givenValue, isTellable, keyValue, type BoundOperation } from './bound-operation.js';
import { ChunkView } from './chunk-view.js';
import { foldOperations } from './fold-operations.js';
import { EMPTY_READ_SET, type ReadSet } from './read-set.js';
import type { Group, Placement, Plan, Wait } from './plan.js';
import { ChunkResources } from './resources.js';
import { OperationConflicts, type Reason, type Subject, type ConflictKey } from './conflict-keys.js';

/**
 * Puts operations into few groups, with the same effect as executing them one by one. If possible, an operation is
 * folded into the previous operation on its row. Otherwise it goes into the first group of its signature after all
 * groups with a conflicting operation. To find the fewest groups is a shortest common supersequence problem, which is
 * NP-hard. First fit comes close. Pure.
 */
export function planOperations(operations: readonly BoundOperation[], readSet: ReadSet = EMPTY_READ_SET): Plan {
  return runSteps(planInSteps(operations, readSet));
}

/** The same, a few operations at a time. The arguments must not change before it has finished. */
export function planInSteps(operations: readonly BoundOperation[], readSet: ReadSet = EMPTY_READ_SET): Steps<Plan> {
  return new Planning(new ChunkView(operations, readSet)).plan();
}

/**
 * One operation in each group, in the given order. Used for targets that cannot be planned, and as the reference for
 * `planOperations`.
 */
export function planSerially(operations: readonly BoundOperation[]): Plan {
  return {
    operations,
    groups: operations.map((operation) => ({ signature: operation.signature, operations: [operation] })),
    placements: operations.map((_, group) => ({ group })),
  };
}

/** One group for each signature. Such a plan must take effect as a whole, or not at all: see `unreadGroups`. */
export function planByShape(operations: readonly BoundOperation[]): Plan {
  const groups = new Map<string, Group & { index: number }>();
  const placements = operations.map((operation): Placement => {
    const { signature } = operation;
    const group = groups.get(signature) ?? { signature, operations: [], index: groups.size };
    groups.set(signature, group);
    group.operations.push(operation);
    return { group: group.index };
  });
  return { operations, groups: [...groups.values()], placements };
}

/** Where an operation is. */
interface PlanPosition {
  group: number;
  /** Index into the group's operations. */
  position: number;
}

class Planning {
  private readonly groups: Group[] = [];
  private readonly groupsBySignature = new Map<string, number[]>();
  /** Where the latest operation on a row is, and which operation that is. */
  private readonly rows = new Map<ConflictKey, PlanPosition & { operation: number }>();
  private readonly resources: ChunkResources;

  constructor(private readonly chunk: ChunkView) {
    this.resources = new ChunkResources(chunk);
  }

  *plan(): Steps<Plan> {
    const { operations } = this.chunk;
    yield* this.resources.follow();
    const placements = yield* mapInSteps(operations, (operation, index) => this.place(operation, index));
    return { operations, groups: this.groups, placements };
  }

  private place(operation: BoundOperation, index: number): Placement {
    const conflicts = new OperationConflicts();
    this.resources.addTo(conflicts, operation);
    const place = this.fold(operation, conflicts) ?? this.join(operation, conflicts.lowest);
    conflicts.placeAt(place.group, index);
    if (conflicts.row !== undefined) this.rows.set(conflicts.row, { ...place, operation: index });
    const { reason, lowest } = conflicts;
    return reason === undefined || lowest > place.group
      ? { group: place.group }
      : { group: place.group, waitsFor: toWait(reason, operation) };
  }

  /** Folds the operation into the previous one on its row, unless something else has to come between them. */
  private fold(operation: BoundOperation, { row, lowestBesideRow }: OperationConflicts): PlanPosition | undefined {
    const latest = row === undefined ? undefined : this.rows.get(row);
    // An operation on several rows may have touched this row since.
    if (latest === undefined || latest.operation !== row?.operation) return undefined;
    const group = this.groups[latest.group]!;
    if (group.signature !== operation.signature || lowestBesideRow > latest.group) return undefined;
    const folded = foldOperations(group.operations[latest.position]!, operation);
    if (folded === undefined) return undefined;
    group.operations[latest.position] = folded;
    return latest;
  }

  /** Adds the operation to the first group of its signature that is not below `lowest`. */
  private join(operation: BoundOperation, lowest: number): PlanPosition {
    const { signature } = operation;
    const candidates = this.candidates(signature);
    const found = isTellable(operation) ? candidates[firstAtLeast(candidates, lowest)] : undefined;
    if (found !== undefined) return { group: found, position: this.groups[found]!.operations.push(operation) - 1 };
    const group = this.groups.push({ signature, operations: [operation] }) - 1;
    if (isTellable(operation)) candidates.push(group);
    return { group, position: 0 };
  }

  private candidates(signature: string): number[] {
    const known = this.groupsBySignature.get(signature) ?? [];
    this.groupsBySignature.set(signature, known);
    return known;
  }
}

/** Index of the first number in an ascending list that is at least `lowest`. */
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

function toWait({ rule, subject, operation }: Reason, waiting: BoundOperation): Wait {
  return { operation, rule, resource: describe(subject, waiting) };
}

/** The columns that two operations share, with their values if the later operation gives them. */
function describe({ table, columns }: Subject, operation: BoundOperation): string {
  if (columns.length === 0) return table;
  const values = columns.map((name) => givenValue(operation, name) ?? keyValue(operation, name));
  const given = table === operation.table.id && values.every((value) => value !== undefined);
  return `${table} (${columns.join(', ')})${given ? ` = (${values.map((value) => stringifyJson(value)).join(', ')})` : ''}`;
}
