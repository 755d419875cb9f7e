import type { Random } from '../support/random.js';

/**
 * What the process of a job does: `idle` before its execution is there; `between` two transactions; `chunk` inside the transaction of a
 * chunk; `isolation` in there after an attempt to write has failed; `commit` while a commit is on its way.
 */
export const PHASES = ['idle', 'between', 'chunk', 'isolation', 'commit'] as const;
export type Phase = (typeof PHASES)[number];

/** `before` the statement is sent, when it is `sent` and not answered, or when it is `answered`. */
const MOMENTS = ['before', 'sent', 'answered'] as const;
type Moment = (typeof MOMENTS)[number];

/** Where a process dies: after a time, or at the n-th statement of a phase (`any`: of all phases). */
export type KillPoint = { delayMs: number } | { phase: Phase | 'any'; statement: number; moment: Moment };

export type KillPlan = (random: Random) => KillPoint;

const duringCommit: KillPlan = (random) => at(random, 'commit', 8);
export const beforeCommit: KillPlan = (random) => ({ ...at(random, 'commit', 8), moment: 'before' });
export const duringIsolation: KillPlan = (random) => at(random, 'isolation', 120);
/** An isolation inside the database is one statement a chunk. */
export const duringCall: KillPlan = (random) => ({
  ...at(random, 'isolation', 4),
  moment: random.pick(['sent', 'sent', 'answered']),
});
export const afterCommit: KillPlan = (random) => ({ ...at(random, 'commit', 8), moment: 'answered' });
const anywhere: KillPlan = (random) => at(random, 'any', 200);
const afterTime: KillPlan = (random) => ({ delayMs: random.integer(0, 400) });

/** Each of them as often as it stands here. */
export const mixed: KillPlan = (random) =>
  random.pick([afterTime, anywhere, anywhere, duringCommit, duringIsolation])(random);
export const mostlyIsolation: KillPlan = (random) =>
  random.pick([duringIsolation, duringIsolation, duringIsolation, mixed])(random);

export const mostlyCalls: KillPlan = (random) => random.pick([duringCall, duringCall, duringCall, mixed])(random);

const at = (random: Random, phase: Phase | 'any', most: number) => ({
  phase,
  statement: random.integer(1, most),
  moment: random.pick(MOMENTS),
});
