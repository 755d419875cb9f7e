import { table } from '../truth/report.js';
import type { ChaosResult } from './run-chaos.js';
import { VIOLATION_KINDS, type ViolationKind } from './judge/violation.js';

const EXAMPLES = 5;

/** Everything about a run in a few tables. */
export function reportRun(result: ChaosResult): string {
  const { acknowledged, resent, unknowns, faults, lanes, chunks, notifiedAgain, abandonedStarts, seconds } = result;
  const facts: string[][] = [
    ['operations acknowledged', String(acknowledged)],
    ['  sent more than once', String(resent)],
    ['  attempts without an answer', counts(unknowns)],
    ['  with repeated notifications', String(notifiedAgain)],
    ['chunks', `${chunks}, operations in ${lanes} lanes`],
    ['faults', counts(new Map(Object.entries(faults)))],
    ['  starts given up, as without a database', String(abandonedStarts)],
    ['seconds', seconds.toFixed(0)],
  ];
  const history = violated(result).length > 0 ? ['', ...result.history] : [];
  return [table(facts, [0, 1]), '', reportRecoveries(result), '', reportViolations(result), ...history].join('\n');
}

function reportRecoveries({ verdict: { recoveries, unjudgedRecoveries } }: ChaosResult): string {
  const rows = [...recoveries].map(([kind, times]) => [
    kind,
    String(times.length),
    String(Math.round(times[Math.floor(times.length / 2)]!)),
    String(Math.round(times.at(-1)!)),
  ]);
  const note = `${unjudgedRecoveries} not judged: something else went down before`;
  return `${table([['first chunk after', 'times', 'median ms', 'max ms'], ...rows])}\n${note}`;
}

function reportViolations({ verdict: { violations } }: ChaosResult): string {
  const rows = VIOLATION_KINDS.map((kind) => [kind, String(violations.get(kind)!.length)]);
  const examples = VIOLATION_KINDS.flatMap((kind) =>
    violations
      .get(kind)!
      .slice(0, EXAMPLES)
      .map((what) => `${kind}: ${what}`),
  );
  return [table([['violations', ''], ...rows]), ...examples].join('\n');
}

/** Kinds that were violated. */
export function violated({ verdict }: Pick<ChaosResult, 'verdict'>): ViolationKind[] {
  return VIOLATION_KINDS.filter((kind) => verdict.violations.get(kind)!.length > 0);
}

/** For machines. */
export function toJson({ verdict, unknowns, ...facts }: ChaosResult): object {
  return {
    ...facts,
    unknowns: Object.fromEntries(unknowns),
    violations: Object.fromEntries(verdict.violations),
    recoveriesMs: Object.fromEntries(verdict.recoveries),
    unjudgedRecoveries: verdict.unjudgedRecoveries,
  };
}

function counts(of: ReadonlyMap<string, number>): string {
  if (of.size === 0) return 'none';
  return [...of].map(([name, count]) => `${name} ${count}`).join(', ');
}
