/** What a claim may take. */
export interface ClaimScope {
  /** The maximum number of operations. */
  limit: number;
  /** The maximum number of lanes. */
  maxLanes: number;
  /** `healthy`: lanes that work; `blocked`: a blocked lane that may be tried again now. */
  lanes: 'healthy' | 'blocked';
}

const SHRINK_FACTOR = 8;
const GROW_FACTOR = 4;
/** Chunks that end early make no claim smaller than this. */
const LEAST_CLAIM = 100;
/** How much larger a claim may be than the one before it, when all of that was executed. */
const GROWTH = 1 / 8;
/** The operations of a chunk are read from all of its lanes and then sorted, so the number of lanes is limited. */
export const MAX_LANES_PER_CHUNK = 8;

/**
 * Prevents a temporary fault (a lock that somebody holds, a time-out) from stopping everything. After each failure of a
 * chunk the next chunk is smaller and of one lane, until a single operation fails: then it is known which lane cannot
 * go on. That lane is tried separately from then on. Its order is kept, so the lane is blocked, while all other lanes
 * go on. No operation is blamed.
 *
 * A chunk that ends early, because many of its operations are refused or slow, executes a part of its claim. The next claim is as large
 * as that part, or half as large as this one. So a limit of thousands costs nothing where the data do not allow chunks of that size.
 */
export class AdaptiveScope {
  /** As far as faults allow. */
  private limit: number;
  /** As far as chunks come. */
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
   * @param operations the number of those that were claimed
   * @param left the number of those that the chunk has left in the queue
   */
  succeeded(operations: number, left: number): void {
    this.limit = Math.min(this.maxLimit, this.limit * GROW_FACTOR);
    // One chunk may end early by chance, because of a lock that it waited for.
    const reached =
      left > 0
        ? Math.max(operations - left, Math.ceil(operations / 2))
        : Math.max(this.executable, Math.ceil(operations * (1 + GROWTH)));
    this.executable = Math.min(this.maxLimit, Math.max(LEAST_CLAIM, reached));
  }

  /**
   * Call this after a chunk of so many operations was rolled back by a fault that no operation caused. Returns true
   * when the lane that cannot go on is known.
   */
  failed(operations: number): boolean {
    // If nothing was claimed, the connection failed, or there was another fault that no lane caused.
    if (operations === 0) return false;
    if (operations === 1) {
      this.limit = this.maxLimit;
      return true;
    }
    this.limit = Math.max(1, Math.floor(Math.min(this.limit, operations) / SHRINK_FACTOR));
    return false;
  }
}
