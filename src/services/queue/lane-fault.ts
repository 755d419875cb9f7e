import { exponentialBackOff, type BackOff } from '../../batch/retry-policy.js';
import { sqlStateOf } from '../database/sql-state.js';

/** What the first operation of a lane met, alone. */
export interface LaneFault {
  lane: number;
  seq: number;
  message: string;
  sqlState: string | undefined;
}

/** @param error what a chunk of this operation alone has met */
export function toLaneFault({ lane, seq }: Pick<LaneFault, 'lane' | 'seq'>, error: unknown): LaneFault {
  const message = error instanceof Error ? error.message : String(error);
  return { lane, seq, message: message.slice(0, MAX_MESSAGE_LENGTH), sqlState: sqlStateOf(error) };
}

const MAX_MESSAGE_LENGTH = 2000;
const BACK_OFF: BackOff = { initialMs: 1000, multiplier: 2, maxMs: 120_000, jitter: 0.2 };

/** Milliseconds before a lane is tried again that has failed `failures` times in a row. `random` draws from 0 to 1. */
export function nextTryInMs(failures: number, random: () => number = Math.random): number {
  return exponentialBackOff(BACK_OFF, failures - 1, random);
}
