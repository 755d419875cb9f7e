/** `lane`: a number from 0 to 63. `target`: a table. `source`: what operations give as their `source`. */
export const PAUSE_KINDS = ['lane', 'target', 'source'] as const;
export type PauseKind = (typeof PAUSE_KINDS)[number];

export interface IPauseRequest {
  kind: PauseKind;
  /** The number of a lane, a table as operations name it, or a source. */
  name: string;
  /** For people: why it is paused. */
  reason?: string;
  /**
   * False, the default: nothing of it is executed, and new operations are accepted. True: new operations are refused,
   * and what waits is executed.
   */
  drain?: boolean;
}

/** A lane, a table or a source that is paused or drained. */
export interface IPause {
  kind: PauseKind;
  /** A table as `schema.table`. */
  name: string;
  /** True: new operations are refused, and what waits is executed. False: nothing of it is executed. */
  drain: boolean;
  /** ISO 8601 in UTC. */
  pausedAt: string;
  /** Who paused it, as in the audit. Absent: the caller was not known. */
  by?: string;
  reason?: string;
}

/** A pause, and the operations for which it matters. */
export interface IPauseState extends IPause {
  /** Operations of it that wait, scheduled ones included. Counted up to 10 000. */
  remaining: number;
  /** False: there may be more than `remaining`. */
  remainingIsExact: boolean;
}

/** The answer of a pause that was just set. */
export interface IPauseAnswer extends IPause {
  /**
   * True: a transaction that began before the pause had not ended after two seconds, and does not know of the pause. A
   * chunk of a paused lane, table or source still runs; or a transaction still stores operations for what is drained.
   */
  running: boolean;
}
