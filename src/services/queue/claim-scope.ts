/** What a claim may take. */
export interface ClaimScope {
  /** The maximum number of operations. */
  limit: number;
  /** The maximum number of lanes. */
  maxLanes: number;
  /** `healthy`: lanes that work; `blocked`: a blocked lane that may be tried again now. */
  lanes: 'healthy' | 'blocked';
  /** Lanes that it leaves out. */
  without?: readonly number[];
}

const SHRINK_FACTOR = 8;
const GROW_FACTOR = 4;
/** The smallest claim after a chunk that ended early. */
const LEAST_CLAIM = 100;
/** How much larger a claim may be than the previous one, if that one was executed completely. */
const GROWTH = 1 / 8;
/** The operations of a chunk are read from all of its lanes and then sorted, so the number of lanes is limited. */
export const MAX_LANES_PER_CHUNK = 8;

/**
 * Prevents a temporary fault (a lock that somebody holds, a time-out) from stopping all lanes. After each failure of a
 * chunk, the next chunk is smaller and has one lane. When a single operation fails, the service knows which lane cannot
 * go on. That lane is blocked, because its order must be kept, and it is tried separately. All other lanes go on. No
 * operation gets a verdict because of such a fault.
 *
 * A chunk ends early when many of its operations are refused or slow. Then it executes only a part of its claim. The
 * next claim is as large as that part, but at least half as large as this claim. So a high limit costs nothing where
 * the data do not allow large chunks.
 */
export class AdaptiveScope {
  /** The limit because of faults. */
  private limit: number;
  /** The limit because of chunks that ended early. */
  private executable: number;

  constructor(private readonly maxLimit: number) {
    this.limit = maxLimit;
    this.executable = maxLimit;
  }

  get current(): ClaimScope {
    const maxLanes = this.limit < this.maxLimit ? 1 : MAX_LANES_PER_CHUNK;
    return { limit: Math.min(this.limit, this.executable), maxLanes, lanes: 'healthy' };
  }

  /**
   * Call this after a chunk was committed.
   *
   * @param operations how many operations the chunk claimed
   * @param left how many of them it left in the queue
   */
  succeeded(operations: number, left: number): void {
    this.limit = Math.min(this.maxLimit, this.limit * GROW_FACTOR);
    // One chunk may end early by chance, for instance because it waited for a lock. So the claim is at most halved.
    const reached =
      left > 0
        ? Math.max(operations - left, Math.ceil(operations / 2))
        : Math.max(this.executable, Math.ceil(operations * (1 + GROWTH)));
    this.executable = Math.min(this.maxLimit, Math.max(LEAST_CLAIM, reached));
  }

  /**
   * Call this after a fault has rolled back a chunk of this number of operations, and no operation caused the fault.
   * Returns true when the lane that cannot go on is known.
   */
  failed(operations: number): boolean {
    // If nothing was claimed, no lane caused the fault. For instance, the connection failed.
    if (operations === 0) return false;
    if (operations === 1) {
      this.limit = this.maxLimit;
      return true;
    }
    this.limit = Math.max(1, Math.floor(Math.min(this.limit, operations) / SHRINK_FACTOR));
    return false;
  }
}
