import { backOffMs, type BackOff } from '../../interfaces/back-off.js';
import { classifyFailure, type FailureKind } from '../database/classify-failure.js';
import { sqlStateOf } from '../database/sql-state.js';
import { cutText } from '../errors/cut-text.js';

/** The error that the first operation of a lane met when it ran alone. */
export interface NewLaneBlock {
  lane: number;
  seq: number;
  kind: FailureKind;
  message: string;
  sqlState: string | undefined;
}

/** When a blocked lane is tried again. */
export interface NextTry {
  delayMs: number;
  /** True when it is not tried before somebody resumes it. */
  parked: boolean;
}

/** @param error what a chunk of only this operation met */
export function toNewLaneBlock({ lane, seq }: Pick<NewLaneBlock, 'lane' | 'seq'>, error: unknown): NewLaneBlock {
  const message = error instanceof Error ? error.message : String(error);
  return { lane, seq, kind: classifyFailure(error), message: cutText(message), sqlState: sqlStateOf(error) };
}

const BACK_OFF: BackOff = { initialMs: 1000, maxMs: 120_000, jitter: 0.2 };
/** Only another version of the service cures a bug. A worker that starts tries such lanes at once. */
const BUG_BACK_OFF: BackOff = { initialMs: 60_000, maxMs: 3_600_000, jitter: 0.2 };

/**
 * After how long a lane that has failed `failures` times in a row is tried again, and whether it has used up its
 * `tries`. An operation cannot cause a bug, or a statement of the service that cannot run: then its lane is never
 * parked. `random` draws from 0 to 1.
 */
export function nextTry(
  kind: FailureKind,
  failures: number,
  tries: number,
  random: () => number = Math.random,
): NextTry {
  const backOff = kind === 'bug' ? BUG_BACK_OFF : BACK_OFF;
  const mayBeParked = kind !== 'bug' && kind !== 'systemic';
  return { delayMs: backOffMs(backOff, failures - 1, random), parked: mayBeParked && failures >= tries };
}
