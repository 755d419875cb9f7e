import type { Drain, EnqueueResult, NewOperation } from './new-operation.js';
import { sameRequest, type StoredRequest } from './same-request.js';

/** What happened to operations with distinct ids. */
export interface StoredOperations {
  /** The state of each new operation, by id. */
  created: ReadonlyMap<string, 'scheduled' | 'pending'>;
  /** Requests that were stored earlier, by id. */
  existing: ReadonlyMap<string, StoredRequest>;
  /** See `InsertedRow`. */
  moving: readonly string[];
  /** What is drained, for each new operation that it concerns, by id. */
  drained: ReadonlyMap<string, Drain>;
}

/** If an id comes twice, the first operation counts. */
export function firstById(operations: readonly NewOperation[]): Map<string, NewOperation> {
  const first = new Map<string, NewOperation>();
  for (const operation of operations) if (!first.has(operation.id)) first.set(operation.id, operation);
  return first;
}

/** @param first see `firstById` */
export function toEnqueueResult(
  operation: NewOperation,
  first: ReadonlyMap<string, NewOperation>,
  { created, existing, moving, drained }: StoredOperations,
): EnqueueResult {
  const { id, shape } = operation;
  const status = created.get(id);
  const original = first.get(id)!;
  if (status !== undefined)
    return original === operation ? { outcome: 'created', status } : toRepeat(operation, original, status);
  const stored = existing.get(id);
  if (stored !== undefined) return toRepeat(operation, stored, stored.status);
  const drain = drained.get(id);
  if (drain !== undefined) return { outcome: 'drained', by: { kind: drain.kind, name: drain.name } };
  if (moving.includes(shape.target)) return { outcome: 'busy' };
  throw new Error(`Operation ${id} was neither stored nor found`);
}

/** The same request twice is one operation. */
function toRepeat(
  operation: NewOperation,
  original: NewOperation | StoredRequest,
  status: StoredRequest['status'],
): EnqueueResult {
  // What was erased cannot be compared any more. It is never executed again.
  const isErased = 'erased' in original && original.erased;
  return isErased || sameRequest(operation, original) ? { outcome: 'existing', status } : { outcome: 'conflict' };
}
