/**
 * How much of what rows may hold a plan follows exactly. The rows that operations may touch, and the values that a row
 * may hold, can grow with the square of the number of operations. Past these limits an operation may touch any row, and
 * a row may hold any value. Such a plan is correct as well, but has more groups.
 */
export interface PlanLimits {
  /** Values that the rows of one operation may hold in one key. */
  valuesFollowed: number;
  /** Rows of an operation that finds them by another key, on average over the operations on a table. */
  rowsFollowed: number;
  /** Rows of all such operations on a table that are followed at least, however few operations there are. */
  leastFollowed: number;
}

export const PLAN_LIMITS: PlanLimits = { valuesFollowed: 32, rowsFollowed: 16, leastFollowed: 1000 };
