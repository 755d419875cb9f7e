import type { IOperationFilter } from './operation-filter.js';

export const BULK_ACTIONS = ['retry', 'cancel', 'erase'] as const;
/**
 * `retry`: failed or cancelled operations are executed again. `cancel`: operations that wait are cancelled. `erase`: the
 * key and the values of settled operations are deleted for good, and their record stays.
 */
export type BulkActionKind = (typeof BULK_ACTIONS)[number];

export const BULK_ACTION_STATUSES = ['running', 'completed', 'stopped', 'failed'] as const;
/** `stopped`: somebody stopped it. `failed`: it could not go on, see `error`. What was done stays done. */
export type BulkActionStatus = (typeof BULK_ACTION_STATUSES)[number];

export interface IBulkActionRequest {
  /** UUID. A second request with the same id is the same action. Generated when absent. */
  id?: string;
  /** At least one field. */
  filter: IOperationFilter;
  /** If true, the matching operations are counted, and nothing is changed. */
  dryRun?: boolean;
  /** Refuses the action (`COUNT_CHANGED`) if another number of operations matches, such as that of a dry run. */
  expected?: number;
}

/** The answer to a dry run. */
export interface IBulkActionCount {
  dryRun: true;
  action: BulkActionKind;
  matched: number;
  /** False: there are more, but counting them would take too long. */
  exact: boolean;
}

/** Times are ISO 8601 in UTC. */
export interface IBulkAction {
  id: string;
  action: BulkActionKind;
  filter: IOperationFilter;
  status: BulkActionStatus;
  /** How many operations matched when it began, as far as they were counted. At its end it is `done` + `skipped`. */
  matched: number;
  /** Operations that it has changed. */
  done: number;
  /** Operations that something else has changed meanwhile, so that they did not match any more. */
  skipped: number;
  createdAt: string;
  updatedAt: string;
  endedAt?: string;
  /** `key:<id>`, `user:<user of the broker>` or `command:<user of the system>`. Absent: the caller was not known. */
  createdBy?: string;
  /** Why it failed. While it runs: why its last step did not succeed, and is tried again. */
  error?: string;
}
