/** Where the next claim may begin. */
export interface ClaimHints {
  /** For each priority: rows at or below it are gone. */
  after: ReadonlyMap<number, number>;
  /** The count of re-entries for which that holds. */
  reentries: string;
}

/** What one committed claim saw and took. */
export interface ObservedClaim {
  /** Of the claim's snapshot: every transaction below was finished. */
  snapshotXmin: bigint;
  /** Of the claim's snapshot or a later one: every transaction at or above had not begun. */
  snapshotXmax: bigint;
  /** How many operations had come back with an old sequence number, before and after the claim. */
  reentries: { before: string; after: string };
  /** False when another worker held a lane: its rows stay behind, so nothing below can be given up. */
  allLanes: boolean;
  /** The last sequence number taken of each priority. */
  last: ReadonlyMap<number, number>;
  /** True when the limit cut the claim, so that rows below what was seen may still wait. */
  full: boolean;
}

/** In case something was overlooked all the same, this is how soon it is seen. */
const SWEEP_INTERVAL_MS = 1000;
/** A sweep over many dead rows is slow; it may take this share of the time at most. */
const SWEEP_SHARE = 1 / 20;

/**
 * Tells claims where to begin, so that they need not walk the dead rows that a long transaction elsewhere keeps alive.
 *
 * Sequence numbers commit out of order: a number below the last one claimed may still be in flight, and what its caller
 * hands over next must not overtake it. So a claim's position becomes a hint only when every transaction that ran at the
 * time of that claim has ended, and a later claim has taken what they left (intake assigns its transaction id before it
 * draws a sequence number). Retries and released operations come back below the hint, from any process: they draw from
 * `batch.reentries`, and a claim that finds its value changed begins at the start.
 */
export class ClaimCursor {
  private hints = new Map<number, number>();
  private candidates: { xmax: bigint; last: ReadonlyMap<number, number> }[] = [];
  private reentries = '0';
  private nextSweepAt = 0;

  /** The hints for a claim at `now` (milliseconds); empty for a sweep. */
  hintsAt(now: number): ClaimHints {
    return { after: now >= this.nextSweepAt ? new Map() : this.hints, reentries: this.reentries };
  }

  /** To be called after the commit of a claim made with `hintsAt(now)` that took `durationMs`. */
  committed(claim: ObservedClaim, now: number, durationMs: number): void {
    if (now >= this.nextSweepAt) {
      this.nextSweepAt = now + Math.max(SWEEP_INTERVAL_MS, durationMs / SWEEP_SHARE);
    }
    const { before, after } = claim.reentries;
    if (!claim.allLanes || before !== this.reentries || after !== this.reentries) {
      this.reset();
      this.reentries = after;
      return;
    }
    this.promote(claim);
    if (claim.last.size > 0) this.candidates.push({ xmax: claim.snapshotXmax, last: claim.last });
  }

  /** Forgets what it knows: the next claim begins at the start. */
  private reset(): void {
    this.hints = new Map();
    this.candidates = [];
    this.nextSweepAt = 0;
  }

  private promote(claim: ObservedClaim): void {
    while (this.candidates[0] && this.candidates[0].xmax <= claim.snapshotXmin) {
      for (const [priority, last] of this.candidates.shift()!.last) {
        // A claim that was cut may have left rows below the candidate; only what it walked over is gone.
        const walked = claim.full ? (claim.last.get(priority) ?? 0) : Infinity;
        this.hints.set(priority, Math.max(this.hints.get(priority) ?? 0, Math.min(last, walked)));
      }
    }
  }
}
