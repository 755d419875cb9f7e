import type { PlannedOperation } from '../planner/plan.js';

/** Operations that one statement executes, in the order of execution. */
export interface Step {
  signature: string;
  /** At least one. */
  operations: readonly PlannedOperation[];
  /** Rows that look bad, see `withSuspects`. They are executed alone. Absent where nobody has looked. */
  suspects?: ReadonlySet<PlannedOperation>;
}
