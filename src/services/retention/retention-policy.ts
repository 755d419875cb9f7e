import type { Settings } from '../config/settings.js';

const HOUR_MS = 3_600_000;
/** What retention may take of the time, all workers together. */
const SHARE = 0.1;
const LARGEST_WINDOW = 512;

/** What has been settled before goes; undefined: nothing of that kind ever does. */
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
  // A chunk tells of both, so it is kept as long as either.
  const chunk = completed && failed && (completed < failed ? completed : failed);
  return { completed, failed, chunk };
}

/** How far a walk has come, from the oldest on: everything up to this place was looked at. */
export interface Place {
  /** As PostgreSQL writes it: a Date would lose its microseconds. */
  settledAt: string;
  /** What tells those of the same time apart: the id of a chunk, the sequence number of an operation. */
  tie: string;
}

export const BEGINNING: Place = { settledAt: '-infinity', tie: '0' };

/** A walk between two of its steps. */
export interface Walk {
  place: Place;
  /** How many chunks the next step looks at. */
  window: number;
}

export const NEW_WALK: Walk = { place: BEGINNING, window: 1 };

export interface StepResult {
  /** How many there were in the window. */
  walked: number;
  /** The last of them; null when there was none. */
  last: Place | null;
  /** Whether there was more to delete in the window than one transaction may. */
  cut: boolean;
}

/** Where the next step begins: behind the window, or at its beginning again with a smaller one. */
export function advance({ place, window }: Walk, { cut, last }: StepResult): Walk {
  if (cut) return { place, window: Math.max(1, Math.floor(window / 2)) };
  return { place: last ?? place, window: Math.min(LARGEST_WINDOW, window * 2) };
}

/** Whether a walk has looked at everything that is old enough by now. */
export function isAtEnd({ walked, cut }: StepResult, window: number): boolean {
  return !cut && walked < window;
}

/** How long to leave the database alone after a step that took `durationMs`. */
export function pauseAfter(durationMs: number, workers: number): number {
  return durationMs * (1 / SHARE - 1) * Math.max(1, workers);
}
