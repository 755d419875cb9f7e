import type { Crash } from '../fleet/member.js';
import type { Ledger } from '../ledger.js';
import type { Timeline } from '../timeline.js';
import { judgeNotifications } from './judge-notifications.js';
import { judgeOperations } from './judge-operations.js';
import { judgeRecovery, type Recoveries } from './judge-recovery.js';
import { judgeTables } from './judge-tables.js';
import type { Observations } from './observations.js';
import { VIOLATION_KINDS, type Violation, type ViolationKind } from './violation.js';

/** All that is known of a run. */
export interface Evidence {
  ledger: Ledger;
  observations: Observations;
  timeline: Timeline;
  crashes: readonly Crash[];
  /** How long after an outage the first chunk may come. */
  recoveryBoundMs: number;
  /** When the callers stopped. */
  until: number;
}

export interface Verdict {
  /** Of each kind, those that were found. */
  violations: ReadonlyMap<ViolationKind, readonly string[]>;
  recoveries: Recoveries;
  unjudgedRecoveries: number;
}

export function judge({ ledger, observations, timeline, crashes, recoveryBoundMs, until }: Evidence): Verdict {
  const recovery = judgeRecovery(timeline, observations, recoveryBoundMs, until);
  const found: Violation[] = [
    ...judgeOperations(ledger, observations),
    ...judgeTables([...ledger.entries], observations.tables),
    ...judgeNotifications(ledger, observations.operations),
    ...crashes.map(({ member, exit, output }): Violation => ({
      kind: 'crashed',
      what: `${member} ended with ${exit}:\n${output}`,
    })),
    ...recovery.violations,
  ];
  return {
    violations: new Map(
      VIOLATION_KINDS.map((kind) => [kind, found.filter((one) => one.kind === kind).map(({ what }) => what)]),
    ),
    recoveries: recovery.recoveries,
    unjudgedRecoveries: recovery.unjudged,
  };
}
