import type { Backlog, Demand } from './demand.js';
import { excessOf, hasItsShare, isCrowded, type Room } from './fair-share.js';
import type { FullBacklog } from './overload-errors.js';
import { PacedCount } from './paced-count.js';
import { retryAfterMs } from './retry-after.js';
import { Tally } from './tally.js';

/** Full, it takes operations again from here on: callers are not let in one by one. */
const LOW_MARK = 0.95;
const COUNT_TIMEOUT_MS = 10_000;

/** What waited when it was counted. */
export interface BacklogCount {
  operations: number;
  settledPerSecond: number;
  /** What this process had stored when the count began. */
  storedBefore: number;
}

/** What each party had, and what this process has stored of it since that count began. */
interface PartyCount {
  operations: ReadonlyMap<number, number>;
  since: Tally;
}

export interface BacklogLimitOptions {
  backlog: Backlog;
  /** 0: any number. */
  limit: number;
  /** What one party may take of it, in percent. */
  share: number;
  /** The last count; undefined: it is not known. */
  count: () => BacklogCount | undefined;
  /** How many operations of each party wait. */
  countParties: () => Promise<ReadonlyMap<number, number>>;
  onFailure: (error: unknown) => void;
}

/**
 * The limit of one backlog, and the shares of it. Parties are counted only while the backlog is so long that one of them may have its
 * share. Between two counts it adds what this process stores.
 */
export class BacklogLimit {
  private stored = 0;
  private readonly entering = new Tally();
  private readonly parties: PacedCount<PartyCount>;
  /** Since the last count of the parties began. */
  private storedSince = new Tally();
  private full = false;
  private readonly fullParties = new Set<number>();

  constructor(private readonly options: BacklogLimitOptions) {
    this.parties = new PacedCount({
      read: () => this.countParties(),
      timeoutMs: COUNT_TIMEOUT_MS,
      onFailure: options.onFailure,
    });
  }

  get storedSoFar(): number {
    return this.stored;
  }

  /** Undefined: it is not known. */
  get estimate(): number | undefined {
    const count = this.options.count();
    return count && count.operations + this.stored - count.storedBefore + this.entering.total;
  }

  enter({ party, operations }: Demand): void {
    this.entering.add(party, operations);
  }

  conclude({ party, operations }: Demand, stored: number): void {
    this.entering.add(party, -operations);
    this.stored += stored;
    // While nobody can have its share, nobody asks, and there may be any number of parties.
    if (!this.isCrowded()) return;
    for (const tally of new Set([this.storedSince, this.parties.value?.since])) tally?.add(party, stored);
  }

  /** Waits for a count of the parties if it is due, and a refusal hangs on it. */
  async refreshParties(needed: () => boolean): Promise<void> {
    if (this.isCrowded()) await this.parties.refresh(needed);
    else this.forgetParties();
  }

  /** Why the operations are refused; undefined when they are not. */
  refusalOf({ party, owner }: Demand): FullBacklog | undefined {
    const { backlog, limit } = this.options;
    const room = this.room();
    if (room === undefined) return undefined;
    this.full = room.waiting >= (this.full ? limit * LOW_MARK : limit);
    if (this.full) {
      return { backlog, limit, retryAfterMs: this.retryAfterMs(room.waiting - limit * LOW_MARK) };
    }
    const used = this.usedBy(party);
    if (!hasItsShare(room, used, this.fullParties.has(party) ? LOW_MARK : 1)) {
      this.fullParties.delete(party);
      return undefined;
    }
    this.fullParties.add(party);
    const excess = excessOf(room, used, LOW_MARK);
    return { backlog, limit, share: { owner, used }, retryAfterMs: this.retryAfterMs(excess) };
  }

  private room(): Room | undefined {
    const { limit, share } = this.options;
    const waiting = this.estimate;
    return limit === 0 || waiting === undefined ? undefined : { limit, waiting, share };
  }

  private isCrowded(): boolean {
    const room = this.room();
    return room !== undefined && isCrowded(room, this.fullParties.size > 0 ? LOW_MARK : 1);
  }

  private usedBy(party: number): number {
    const { operations, since = this.storedSince } = this.parties.value ?? {};
    return (operations?.get(party) ?? 0) + since.of(party) + this.entering.of(party);
  }

  private async countParties(): Promise<PartyCount> {
    const since = new Tally();
    this.storedSince = since;
    return { operations: await this.options.countParties(), since };
  }

  private forgetParties(): void {
    this.parties.forget();
    this.fullParties.clear();
    this.storedSince = new Tally();
  }

  /** What is scheduled goes when its time has come, however fast operations are settled. */
  private retryAfterMs(excess: number): number {
    const rate = this.options.backlog === 'pending' ? (this.options.count()?.settledPerSecond ?? 0) : 0;
    return retryAfterMs(excess, rate);
  }
}
