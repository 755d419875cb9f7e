/**
 * How much of what rows may hold a plan follows exactly. What an operation may touch, and what a row may hold, can grow with the
 * square of the operations; past these limits it counts as anything, which is right as well, with more groups.
 */
export interface PlanLimits {
  /** Values that the rows of one operation may hold in one key. */
  valuesFollowed: number;
  /** Rows of an operation that finds them by another key, on average over the operations on a table. */
  rowsFollowed: number;
  /** Rows of all such operations on a table, where they are few. */
  leastFollowed: number;
}

export const PLAN_LIMITS: PlanLimits = { valuesFollowed: 32, rowsFollowed: 16, leastFollowed: 1000 };
