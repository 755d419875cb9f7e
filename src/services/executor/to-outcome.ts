import type { BoundOperation } from '../planner/bound-operation.js';
import type { Outcome } from '../queue/operation-record.js';
import { rowNotFound } from './to-operation-error.js';

/** The verdict on an operation whose statement succeeded. */
export function toOutcome(operation: BoundOperation, rowsAffected: number): Outcome {
  if (rowsAffected === 0 && operation.operation.mustExist) return { status: 'failed', error: rowNotFound(operation) };
  return { status: 'completed', rowsAffected };
}
