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

export interface NextTry {
  delayMs: number;
  /** True when it is not tried until somebody resumes it. */
  parked: boolean;
}

/** @param error the error of a chunk that had only this operation */
export function toNewLaneBlock({ lane, seq }: Pick<NewLaneBlock, 'lane' | 'seq'>, error: unknown): NewLaneBlock {
  const message = error instanceof Error ? error.message : String(error);
  return { lane, seq, kind: classifyFailure(error), message: cutText(message), sqlState: sqlStateOf(error) };
}

const BACK_OFF: BackOff = { initialMs: 1000, maxMs: 120_000, jitter: 0.2 };
/** Only a new version of the service can fix a bug. When a worker starts, it tries such lanes at once. */
const BUG_BACK_OFF: BackOff = { initialMs: 60_000, maxMs: 3_600_000, jitter: 0.2 };

/**
 * Says when a lane that has failed `failures` times in a row is tried again, and whether it has used up its `tries`.
 * Bugs and wrong statements of the service are not the operation's fault, so they never park a lane. `random` returns a
 * number from 0 to 1.
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
