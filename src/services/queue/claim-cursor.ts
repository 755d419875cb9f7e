import { LANES } from '../catalog/table.js';

export const PRIORITIES = 10;

/** Where the rows of a lane and a priority are found in `ClaimHints.after`. */
export const slotOf = (lane: number, priority: number): number => lane * PRIORITIES + priority;

/** Where the next claim may begin. */
export interface ClaimHints {
  /** For each slot: rows at or below it are gone. 0: nothing is known. */
  after: readonly number[];
  /** The count of re-entries for which that holds. */
  reentries: string;
}

/** What one committed claim saw and took. */
export interface ObservedClaim {
  /** Every transaction below that may have put operations into the queue was finished when the claim's snapshot was taken. */
  oldestWriter: bigint;
  /** Of the claim's snapshot or a later one: every transaction at or above had not begun. */
  snapshotXmax: bigint;
  /** How many operations had come back with an old sequence number, before and after the claim. */
  reentries: { before: string; after: string };
  /** The lanes it held. */
  lanes: readonly number[];
  /** The last sequence number taken of each slot. */
  last: ReadonlyMap<number, number>;
  /** True when the limit cut the claim, so that rows below what was seen may still wait. */
  full: boolean;
}

interface Candidate {
  xmax: bigint;
  /** By slot. */
  last: ReadonlyMap<number, number>;
  claimedAt: number;
}

/** In case something was overlooked all the same, this is how soon it is seen. */
const SWEEP_INTERVAL_MS = 1000;
/** A sweep over many dead rows is slow; it may take this share of the time at most. */
const SWEEP_SHARE = 1 / 20;
/** A candidate that waits longer is held up by a transaction that may have nothing to do with the queue. */
const PATIENCE_MS = 250;

/**
 * Tells claims where to begin, so that they need not walk the dead rows that a long transaction elsewhere keeps alive.
 *
 * Sequence numbers commit out of order: a number below the last one claimed may still be in flight, and what its caller
 * hands over next must not overtake it. So a claim's position becomes a hint only when every transaction that may have put
 * operations into the queue at that time has ended, and a later claim of the same lane has taken what they left (intake
 * assigns its transaction id before it draws a sequence number). Retries and released operations come back below the hint, from any process: they draw from
 * `batch.reentries`, and a claim that finds its value changed begins at the start. What other workers take from a lane only
 * makes a hint too low.
 */
export class ClaimCursor {
  private after = noHints();
  private readonly candidates = new Map<number, Candidate[]>();
  private reentries = '0';
  private nextSweepAt = 0;

  /** The hints for a claim at `now` (milliseconds); none for a sweep. */
  hintsAt(now: number): ClaimHints {
    return { after: now >= this.nextSweepAt ? noHints() : this.after, reentries: this.reentries };
  }

  /**
   * True when it pays to ask who really writes to the queue: the hints of these lanes wait for the oldest transaction of all,
   * `xmin`, which has been running for a while.
   */
  isHeldUp(lanes: readonly number[], xmin: bigint, now: number): boolean {
    return lanes.some((lane) => {
      const oldest = this.candidates.get(lane)?.[0];
      return oldest !== undefined && oldest.xmax > xmin && oldest.claimedAt < now - PATIENCE_MS;
    });
  }

  /** To be called after the commit of a claim made with `hintsAt(now)` that took `durationMs`. */
  committed(claim: ObservedClaim, now: number, durationMs: number): void {
    if (claim.lanes.length === 0) return;
    if (now >= this.nextSweepAt) {
      this.nextSweepAt = now + Math.max(SWEEP_INTERVAL_MS, durationMs / SWEEP_SHARE);
    }
    const { before, after } = claim.reentries;
    if (before !== this.reentries || after !== this.reentries) {
      this.reset();
      this.reentries = after;
      return;
    }
    for (const lane of claim.lanes) {
      this.promote(lane, claim);
      this.remember(lane, claim, now);
    }
  }

  /** Forgets what it knows: the next claim begins at the start. */
  private reset(): void {
    this.after = noHints();
    this.candidates.clear();
    this.nextSweepAt = 0;
  }

  private promote(lane: number, claim: ObservedClaim): void {
    const candidates = this.candidates.get(lane) ?? [];
    while (candidates[0] && candidates[0].xmax <= claim.oldestWriter) {
      for (const [slot, last] of candidates.shift()!.last) {
        // A claim that was cut may have left rows below the candidate; only what it walked over is gone.
        const walked = claim.full ? (claim.last.get(slot) ?? 0) : Infinity;
        this.after[slot] = Math.max(this.after[slot] ?? 0, Math.min(last, walked));
      }
    }
  }

  private remember(lane: number, claim: ObservedClaim, now: number): void {
    const last = new Map([...claim.last].filter(([slot]) => Math.floor(slot / PRIORITIES) === lane));
    if (last.size === 0) return;
    const candidates = this.candidates.get(lane) ?? [];
    candidates.push({ xmax: claim.snapshotXmax, last, claimedAt: now });
    this.candidates.set(lane, candidates);
  }
}

const noHints = (): number[] => Array<number>(LANES * PRIORITIES).fill(0);
