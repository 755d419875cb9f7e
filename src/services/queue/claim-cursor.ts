import { LANES } from './assign-lanes.js';

export const PRIORITIES = 10;

/** The index of a lane and priority in `ClaimWatermarks.after`. */
export const slotOf = (lane: number, priority: number): number => lane * PRIORITIES + priority;

/** Where the next claim may begin. */
export interface ClaimWatermarks {
  /** For each slot: rows up to this sequence number are gone. 0 means that nothing is known. */
  after: readonly number[];
  /** The number of re-entries for which the watermarks are valid. */
  requeueEpoch: string;
}

/** What one committed claim saw and took. */
export interface ObservedClaim {
  /**
   * Every transaction below this number that may have put operations into the queue had ended before the claim took its
   * snapshot.
   */
  oldestWriter: bigint;
  /** From the claim's snapshot or a later one: no transaction with this or a higher number had begun. */
  snapshotXmax: bigint;
  /** How many operations had come back with an old sequence number, before and after the claim. */
  requeueEpoch: { before: string; after: string };
  lanes: readonly number[];
  /** The last sequence number that was taken, for each slot. */
  last: ReadonlyMap<number, number>;
  /** True when the limit cut the claim, so that rows below the last one may still wait. */
  full: boolean;
}

interface Candidate {
  xmax: bigint;
  /** By slot. */
  last: ReadonlyMap<number, number>;
  claimedAt: number;
}

/** If a claim overlooked a row, a sweep finds it after this time. */
const SWEEP_INTERVAL_MS = 1000;
/** A sweep over many dead rows is slow. It may take this share of the time at most. */
const SWEEP_SHARE = 1 / 20;
/** If a candidate waits longer, the transaction that delays it may have nothing to do with the queue. */
const PATIENCE_MS = 250;

/**
 * Tells claims where to begin, so that they skip the dead rows that a long transaction elsewhere keeps alive.
 *
 * Sequence numbers do not commit in order: a number below the last claimed one may belong to an open transaction, and
 * the next operation of its caller must not overtake it. So a claim's position becomes a watermark only when two things
 * are true. First, every transaction that may have put operations into the queue at that time has ended. Second, a
 * later claim of the same lane has taken their operations. (Intake gets its transaction id before it draws a sequence
 * number.)
 *
 * Any process may retry or release operations, and these come back below the watermark. The process then
 * draws from `batch.requeue_epoch`. A claim that finds this value changed begins at the start. If other workers take
 * operations from a lane, its watermark is lower than it could be, but not wrong.
 */
export class ClaimCursor {
  private after = noWatermarks();
  private readonly candidates = new Map<number, Candidate[]>();
  private requeueEpoch = '0';
  private nextSweepAt = 0;

  /** The watermarks for a claim at `now` (milliseconds). A sweep gets no watermarks. */
  watermarksAt(now: number): ClaimWatermarks {
    return { after: now >= this.nextSweepAt ? noWatermarks() : this.after, requeueEpoch: this.requeueEpoch };
  }

  /**
   * True when the watermarks of these lanes have waited for `xmin`, the oldest transaction of all, for some time. Then
   * it is worth the cost to find out which transactions really write to the queue.
   */
  isHeldUp(lanes: readonly number[], xmin: bigint, now: number): boolean {
    return lanes.some((lane) => {
      const oldest = this.candidates.get(lane)?.[0];
      return oldest !== undefined && oldest.xmax > xmin && oldest.claimedAt < now - PATIENCE_MS;
    });
  }

  /** Call this after the commit of a claim that was made with `watermarksAt(now)` and took `durationMs`. */
  committed(claim: ObservedClaim, now: number, durationMs: number): void {
    if (now >= this.nextSweepAt) {
      this.nextSweepAt = now + Math.max(SWEEP_INTERVAL_MS, durationMs / SWEEP_SHARE);
    }
    const { before, after } = claim.requeueEpoch;
    if (before !== this.requeueEpoch || after !== this.requeueEpoch) {
      this.reset();
      this.requeueEpoch = after;
      return;
    }
    for (const lane of claim.lanes) {
      this.promote(lane, claim);
      this.remember(lane, claim, now);
    }
  }

  /** Forgets everything: the next claim begins at the start. */
  private reset(): void {
    this.after = noWatermarks();
    this.candidates.clear();
    this.nextSweepAt = 0;
  }

  private promote(lane: number, claim: ObservedClaim): void {
    const candidates = this.candidates.get(lane) ?? [];
    while (candidates[0] && candidates[0].xmax <= claim.oldestWriter) {
      for (const [slot, last] of candidates.shift()!.last) {
        // If the limit cut the claim, rows below the candidate may still wait. Only the rows up to the last claimed one
        // are gone.
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

const noWatermarks = (): number[] => Array<number>(LANES * PRIORITIES).fill(0);
