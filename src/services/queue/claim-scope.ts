/** What a claim may take. */
export interface Scope {
  /** The most operations. */
  limit: number;
  /** The most lanes. */
  maxLanes: number;
  /** `sound`: lanes that go on; `faulty`: one that stands still and may be tried again now. */
  standing: 'sound' | 'faulty';
}

const SHRINK_FACTOR = 8;
const GROW_FACTOR = 4;
/** The operations of a chunk are read from all of its lanes and sorted. */
export const MAX_LANES_PER_CHUNK = 8;

/**
 * Keeps a fault that may pass (a lock that somebody holds, a time-out) from holding up everything. After each failure of a
 * chunk the next one is smaller and of one lane, until a single operation fails: then it is known whose lane cannot go on. That
 * lane is left to be tried by itself; order within it stands still, all others go on. Nobody is blamed.
 */
export class ClaimScope {
  private limit: number;

  constructor(private readonly maxLimit: number) {
    this.limit = maxLimit;
  }

  get current(): Scope {
    const maxLanes = this.limit < this.maxLimit ? 1 : MAX_LANES_PER_CHUNK;
    return { limit: this.limit, maxLanes, standing: 'sound' };
  }

  /** A chunk was committed. */
  succeeded(): void {
    this.limit = Math.min(this.maxLimit, this.limit * GROW_FACTOR);
  }

  /** A chunk of so many operations was rolled back by a fault of nobody's. Answers true when it is known whose lane it is. */
  failed(operations: number): boolean {
    // Without a claim it was the connection, or another fault that has to do with no lane.
    if (operations === 0) return false;
    if (operations === 1) {
      this.limit = this.maxLimit;
      return true;
    }
    this.limit = Math.max(1, Math.floor(Math.min(this.limit, operations) / SHRINK_FACTOR));
    return false;
  }
}
