import type { Ledger, LedgerEntry } from '../ledger.js';
import { describeEntry, verdictOf } from './judge-operations.js';
import type { StoredOperation } from './observations.js';
import type { Violation } from './violation.js';

/** The source of every settled operation was notified of its verdict, and those of a stream came in their order. */
export function judgeNotifications(ledger: Ledger, stored: readonly StoredOperation[]): Violation[] {
  const verdicts = new Map(stored.map((operation) => [operation.id, verdictOf(operation)]));
  const violations: Violation[] = [];
  const positions = new Map<string, number>();
  for (const entry of ledger.entries) {
    const verdict = verdicts.get(entry.request.id);
    if (verdict === undefined) continue;
    const fault = faultOf(entry, verdict);
    if (fault !== undefined) violations.push({ kind: 'unnotified', what: `${describeEntry(entry)} ${fault}` });
    if (entry.stream === undefined || entry.notified === undefined) continue;
    const { position } = entry.notified;
    if (position < (positions.get(entry.stream) ?? 0)) {
      violations.push({
        kind: 'out of order',
        what: `${describeEntry(entry)} has a notification before that of an earlier one`,
      });
    }
    positions.set(entry.stream, Math.max(position, positions.get(entry.stream) ?? 0));
  }
  return violations;
}

function faultOf({ notified, request }: LedgerEntry, verdict: string): string | undefined {
  if (notified === undefined) return `is ${verdict}, but its source was never notified`;
  if (notified.source !== request.source) return `has a notification for ${notified.source}`;
  return notified.verdict === verdict ? undefined : `is ${verdict}, but its notification says ${notified.verdict}`;
}
