import type { BoundOperation } from './bound-operation.js';
import type { Rule } from './rules.js';

/** One row of a group's statement. */
export interface PlannedOperation extends BoundOperation {
  /**
   * The operations that were folded into this one, in their order. If it succeeds, executing them one by one has the
   * same effect. If it fails, that says nothing about them. Absent when nothing was folded.
   */
  folded?: BoundOperation[];
}

/** Operations that one statement executes. They commute: none of them touches what another depends on. */
export interface Group {
  /** Equal for operations that the same statement text can execute. */
  signature: string;
  operations: PlannedOperation[];
}

/** Where an operation was put, and why it could not go to an earlier group. */
export interface Placement {
  /** Index into `Plan.groups`. */
  group: number;
  /** Absent when no earlier operation mattered. */
  waitsFor?: Wait;
}

export interface Wait {
  /** Index of the earlier operation, into `Plan.operations`. */
  operation: number;
  rule: Rule;
  /** What both operations touch, in words. */
  resource: string;
}

/** Groups in the order of execution. Their effect equals that of the operations one by one, in the given order. */
export interface Plan {
  operations: readonly BoundOperation[];
  groups: Group[];
  /** One for each of `operations`. */
  placements: Placement[];
}

/** The operations that a row of a group stands for. */
export const originalsOf = (operation: PlannedOperation): readonly BoundOperation[] => operation.folded ?? [operation];

/**
 * The same operations without folds: the first of each fold in one group, the second of each in the next, and so on.
 */
export function unfold({
  signature,
  operations,
}: Readonly<Pick<Group, 'signature'>> & { operations: readonly PlannedOperation[] }): Group[] {
  const groups: Group[] = [];
  for (const operation of operations) {
    originalsOf(operation).forEach((original, depth) => {
      const group = (groups[depth] ??= { signature, operations: [] });
      group.operations.push(original);
    });
  }
  return groups;
}
