import type { Settings } from '../config/settings.js';

const HOUR_MS = 3_600_000;
/** The share of the time that retention may take, for all workers together. */
const SHARE = 0.1;
const LARGEST_WINDOW = 512;

/** Everything that was settled before these times is deleted. Undefined: this kind is kept forever. */
export interface Cutoffs {
  completed: Date | undefined;
  failed: Date | undefined;
  chunk: Date | undefined;
}

export function cutoffsAt(now: Date, { completedHours, failedHours }: Settings['retention']): Cutoffs {
  const before = (hours: number): Date | undefined =>
    hours === 0 ? undefined : new Date(now.getTime() - hours * HOUR_MS);
  const completed = before(completedHours);
  const failed = before(failedHours);
  // A chunk describes operations of both kinds, so it is kept as long as any of them.
  const chunk = completed && failed && (completed < failed ? completed : failed);
  return { completed, failed, chunk };
}

/** How far a walk has come. It begins with the oldest entry and has examined everything up to this place. */
export interface RetentionCursor {
  /** As PostgreSQL writes it, because a Date would lose the microseconds. */
  settledAt: string;
  /** Orders entries of the same time: the id of a chunk, or the sequence number of an operation. */
  tie: string;
}

export const BEGINNING: RetentionCursor = { settledAt: '-infinity', tie: '0' };

export interface Walk {
  place: RetentionCursor;
  /** How many chunks the next step examines at most. */
  window: number;
}

export const NEW_WALK: Walk = { place: BEGINNING, window: 1 };

export interface StepResult {
  /** How many entries the window had. */
  walked: number;
  last: RetentionCursor | null;
  /** True when the window had more to delete than one transaction may delete. */
  cut: boolean;
}

/**
 * The next step begins after the window. If the window was too large, it begins at the same place with a smaller one.
 */
export function advance({ place, window }: Walk, { cut, last }: StepResult): Walk {
  if (cut) return { place, window: Math.max(1, Math.floor(window / 2)) };
  return { place: last ?? place, window: Math.min(LARGEST_WINDOW, window * 2) };
}

/** True when the walk has examined everything that is old enough now. */
export function isAtEnd({ walked, cut }: StepResult, window: number): boolean {
  return !cut && walked < window;
}

export function pauseAfter(durationMs: number, workers: number): number {
  return durationMs * (1 / SHARE - 1) * Math.max(1, workers);
}
