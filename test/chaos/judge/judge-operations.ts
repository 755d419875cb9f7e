import type { Ledger, LedgerEntry, Verdict } from '../ledger.js';
import type { Observations, QueuedOperation, StoredOperation } from './observations.js';
import type { Violation } from './violation.js';

/**
 * Compares the callers' memory with the queue: each operation is there once, settled, with the verdict it must have. No
 * message of the callers ends a process or is wrong, so none may be parked.
 */
export function judgeOperations(
  ledger: Ledger,
  { operations: stored, queued }: Pick<Observations, 'operations' | 'queued'>,
): Violation[] {
  const byId = new Map(stored.map((operation) => [operation.id, operation]));
  const queuedById = new Map(queued.map((operation) => [operation.id, operation]));
  const entries = [...ledger.entries];
  const known = new Set(entries.map(({ request }) => request.id));
  const refused = new Set(ledger.refusals.map(({ id }) => id));
  return [
    ...ledger.refusals.map(({ id, code, message }): Violation => ({
      kind: 'refused',
      what: `${id}: ${code} ${message}`,
    })),
    ...entries
      .filter(({ request }) => !refused.has(request.id))
      .flatMap((entry) => judgeEntry(entry, byId.get(entry.request.id), queuedById.get(entry.request.id))),
    ...queued.flatMap(({ id, parkedFor }): Violation[] =>
      parkedFor === undefined ? [] : [{ kind: 'parked', what: `${id}: ${parkedFor}` }],
    ),
    ...stored
      .filter(({ id }) => !known.has(id))
      .map(({ id }): Violation => ({
        kind: 'doubled',
        what: `${id} is stored, though nobody sent it under this id in the end`,
      })),
  ];
}

function judgeEntry(
  entry: LedgerEntry,
  stored: StoredOperation | undefined,
  queued: QueuedOperation | undefined,
): Violation[] {
  const what = describeEntry(entry);
  if (entry.acknowledgedAt === undefined) return [{ kind: 'unacknowledged', what }];
  if (stored === undefined) {
    const where = queued === undefined ? 'gone' : `in ${queued.queue}`;
    return [{ kind: 'lost', what: `${what} was acknowledged, but is not stored; its message is ${where}` }];
  }
  const verdict = verdictOf(stored);
  if (verdict === undefined) return [{ kind: 'lost', what: `${what} was acknowledged, but is ${stored.status}` }];
  if (verdict === entry.expected) return [];
  return [{ kind: 'wrong verdict', what: `${what} is ${verdict}, not ${entry.expected}` }];
}

/** Undefined while there is none. */
export function verdictOf({ status, code }: StoredOperation): Verdict | undefined {
  if (status === 'completed') return 'completed';
  return status === 'failed' ? (code ?? undefined) : undefined;
}

export function describeEntry({ request, stream, attempts }: LedgerEntry): string {
  return `${request.id} (${request.operationType} ${stream ?? request.target} of ${request.source}, sent ${attempts} times)`;
}
