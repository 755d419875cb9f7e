import type { BoundOperation } from './bound-operation.js';
import type { Rule } from './rules.js';

/** One row of a group's statement. */
export interface PlannedOperation extends BoundOperation {
  /**
   * The operations that this one stands for, in their order: executed alone, one after the other, they have the same effect
   * wherever this one succeeds. Where it fails, it says nothing about them. Absent when it stands for itself.
   */
  folded?: BoundOperation[];
}

/** Operations that one statement executes. They commute: no two of them touch what the other depends on. */
export interface Group {
  /** Equal for operations that the same statement text can execute. */
  signature: string;
  operations: PlannedOperation[];
}

/** Where an operation went, and what kept it from going anywhere earlier. */
export interface Placement {
  /** Index into `Plan.groups`. */
  group: number;
  /** Absent when nothing before it mattered. */
  waitsFor?: Wait;
}

export interface Wait {
  /** Index of the earlier operation, into `Plan.operations`. */
  operation: number;
  rule: Rule;
  /** What both of them touch, in words. */
  resource: string;
}

/** Groups in the order of execution. Their effect equals that of the operations one by one, in the order given. */
export interface Plan {
  operations: readonly BoundOperation[];
  groups: Group[];
  /** One for each of `operations`. */
  placements: Placement[];
}

/** The operations that a row of a group stands for. */
export const originalsOf = (operation: PlannedOperation): readonly BoundOperation[] => operation.folded ?? [operation];

/** The same operations without folds: the first of each fold in one group, the second of each in the next, and so on. */
export function unfold({ signature, operations }: Group): Group[] {
  const groups: Group[] = [];
  for (const operation of operations) {
    originalsOf(operation).forEach((original, depth) => {
      const group = (groups[depth] ??= { signature, operations: [] });
      group.operations.push(original);
    });
  }
  return groups;
}
