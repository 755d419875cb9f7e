import type { Settings } from '../config/settings.js';

const HOUR_MS = 3_600_000;
/** The share of the time that retention may take, for all workers together. */
const SHARE = 0.1;
const LARGEST_WINDOW = 512;

/** What was settled before these times is deleted. Undefined: nothing of that kind is ever deleted. */
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
  // A chunk describes both kinds, so it is kept as long as either of them.
  const chunk = completed && failed && (completed < failed ? completed : failed);
  return { completed, failed, chunk };
}

/** How far a walk from the oldest on has come: everything up to this place was examined. */
export interface RetentionCursor {
  /** As PostgreSQL writes it, because a Date would lose the microseconds. */
  settledAt: string;
  /** Separates entries of the same time: the id of a chunk, or the sequence number of an operation. */
  tie: string;
}

export const BEGINNING: RetentionCursor = { settledAt: '-infinity', tie: '0' };

/** A walk between two of its steps. */
export interface Walk {
  place: RetentionCursor;
  /** How many chunks the next step examines. */
  window: number;
}

export const NEW_WALK: Walk = { place: BEGINNING, window: 1 };

export interface StepResult {
  /** How many there were in the window. */
  walked: number;
  /** The last of them. Null when there was none. */
  last: RetentionCursor | null;
  /** Whether the window contained more to delete than one transaction may delete. */
  cut: boolean;
}

/** Where the next step begins: after the window, or at its beginning again with a smaller window. */
export function advance({ place, window }: Walk, { cut, last }: StepResult): Walk {
  if (cut) return { place, window: Math.max(1, Math.floor(window / 2)) };
  return { place: last ?? place, window: Math.min(LARGEST_WINDOW, window * 2) };
}

/** Whether a walk has examined everything that is old enough now. */
export function isAtEnd({ walked, cut }: StepResult, window: number): boolean {
  return !cut && walked < window;
}

/** How long to leave the database alone after a step that took `durationMs`. */
export function pauseAfter(durationMs: number, workers: number): number {
  return durationMs * (1 / SHARE - 1) * Math.max(1, workers);
}
