import { quantile } from '../measure/statistics.js';
import type { AttackerReport } from './attacker.js';
import type { HonestTally, HonestWay } from './honest-callers.js';

export interface HostileEvidence {
  /** Milliseconds until each answer of `/health/live` under attack, by process. */
  liveMs: Record<string, readonly number[]>;
  /** How processes ended that should not have. */
  ended: readonly string[];
  quiet: Record<HonestWay, HonestTally>;
  attacked: Record<HonestWay, HonestTally>;
  /** MiB at most, by process. */
  memoryMb: Record<string, number>;
  /** Confirmed operations of honest callers that were not completed in the end. */
  notCompleted: number;
  attacks: AttackerReport;
}

export interface Claim {
  claim: string;
  measured: string;
  met: boolean;
}

const LIVE_P99_MS = 250;
const TIMES_QUIET = 5;
export const MEMORY_BOUND_MB = 768;
/** By each way; fewer attacks or answers show nothing. */
const LEAST_ATTACKS = 10;
const LEAST_ANSWERS = 50;

/** What the run shows: each claim with what was measured. */
export function judgeHostile(evidence: HostileEvidence): Claim[] {
  const { liveMs, ended, quiet, attacked, memoryMb, notCompleted, attacks } = evidence;
  const ways = Object.keys(attacked) as HonestWay[];
  return [
    ...Object.entries(liveMs).map(([process, times]): Claim => {
      const p99 = p99Of(times);
      return {
        claim: `/health/live of ${process}: p99 at most ${LIVE_P99_MS} ms`,
        measured: `${ms(p99)}, longest ${ms(Math.max(...times))}, of ${times.length}`,
        met: times.length >= LEAST_ANSWERS && p99 <= LIVE_P99_MS,
      };
    }),
    { claim: 'no process ended', measured: ended.join('; ') || 'none', met: ended.length === 0 },
    ...ways.map((way): Claim => {
      const [before, during] = [p99Of(quiet[way].answerMs), p99Of(attacked[way].answerMs)];
      return {
        claim: `honest callers by ${way}: p99 at most ${TIMES_QUIET} times that of the quiet run`,
        measured: `${ms(before)} quiet, ${ms(during)} attacked, ${(during / before).toFixed(1)} times, of ${attacked[way].answerMs.length}`,
        met: attacked[way].answerMs.length >= LEAST_ANSWERS && during <= TIMES_QUIET * before,
      };
    }),
    ...ways.map((way): Claim => {
      const { failures } = attacked[way];
      const told = Object.entries(failures).map(([code, count]) => `${code} ${count}`);
      return {
        claim: `no honest caller by ${way} was refused`,
        measured: told.join(', ') || 'none',
        met: told.length === 0,
      };
    }),
    {
      claim: 'what honest callers were confirmed is completed',
      measured: `${notCompleted} are not`,
      met: notCompleted === 0,
    },
    ...Object.entries(memoryMb).map(([process, most]): Claim => ({
      claim: `memory of ${process}: at most ${MEMORY_BOUND_MB} MiB`,
      measured: `${Math.round(most)} MiB`,
      met: most <= MEMORY_BOUND_MB,
    })),
    ...Object.entries(attacks).map(([way, answers]): Claim => {
      const total = Object.values(answers).reduce((sum, count) => sum + count, 0);
      const told = Object.entries(answers).map(([answer, count]) => `${answer} ${count}`);
      return { claim: `attacks by ${way} were tried`, measured: told.join(', '), met: total >= LEAST_ATTACKS };
    }),
  ];
}

const p99Of = (times: readonly number[]): number => quantile([...times], 0.99);
const ms = (milliseconds: number): string =>
  `${milliseconds < 10 ? milliseconds.toFixed(1) : Math.round(milliseconds)} ms`;
