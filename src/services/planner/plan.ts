import type { BoundOperation } from './bound-operation.js';

/** Operations that one statement executes. They commute: no two of them touch what the other depends on. */
export interface Group {
  /** Equal for operations that the same statement text can execute. */
  signature: string;
  operations: BoundOperation[];
}

/** Groups in the order of execution. Their effect equals that of the operations one by one, in the order given. */
export interface Plan {
  groups: Group[];
}
