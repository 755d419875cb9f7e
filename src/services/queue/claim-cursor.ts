/** Where the next claim may begin, for each priority: rows at or below it are gone. */
export type ClaimHints = ReadonlyMap<number, number>;

/** What one committed claim saw and took. */
export interface ObservedClaim {
  /** Of the claim's snapshot: every transaction below was finished. */
  snapshotXmin: bigint;
  /** Of the claim's snapshot or a later one: every transaction at or above had not begun. */
  snapshotXmax: bigint;
  /** False when another worker held a lane: its rows stay behind, so nothing below can be given up. */
  allLanes: boolean;
  /** The last sequence number taken of each priority. */
  last: ReadonlyMap<number, number>;
  /** True when the limit cut the claim, so that rows below what was seen may still wait. */
  full: boolean;
}

/** Retries and released operations come back below the hint; this is how soon they are seen. */
const SWEEP_INTERVAL_MS = 1000;
/** A sweep over many dead rows is slow; it may take this share of the time at most. */
const SWEEP_SHARE = 1 / 20;

/**
 * Tells claims where to begin, so that they need not walk the dead rows that a long transaction elsewhere keeps alive.
 *
 * Sequence numbers commit out of order: a number below the last one claimed may still be in flight, and what its caller
 * hands over next must not overtake it. So a claim's position becomes a hint only when every transaction that ran at the
 * time of that claim has ended, and a later claim has taken what they left (intake assigns its transaction id before it
 * draws a sequence number). About once a second a sweep begins at the start all the same.
 */
export class ClaimCursor {
  private hints = new Map<number, number>();
  private candidates: { xmax: bigint; last: ReadonlyMap<number, number> }[] = [];
  private nextSweepAt = 0;

  /** The hints for a claim at `now` (milliseconds); empty for a sweep. */
  hintsAt(now: number): ClaimHints {
    return now >= this.nextSweepAt ? new Map() : this.hints;
  }

  /** To be called after the commit of a claim made with `hintsAt(now)` that took `durationMs`. */
  committed(claim: ObservedClaim, now: number, durationMs: number): void {
    if (now >= this.nextSweepAt) {
      this.nextSweepAt = now + Math.max(SWEEP_INTERVAL_MS, durationMs / SWEEP_SHARE);
    }
    if (!claim.allLanes) {
      this.reset();
      return;
    }
    this.promote(claim);
    if (claim.last.size > 0) this.candidates.push({ xmax: claim.snapshotXmax, last: claim.last });
  }

  /** Forgets what it knows: the next claim begins at the start. */
  reset(): void {
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
