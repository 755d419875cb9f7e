import type { Backlog, Demand } from './demand.js';
import { excessOf, hasItsShare, isCrowded, type Room } from './fair-share.js';
import type { FullBacklog } from './overload-errors.js';
import { PacedCount } from './paced-count.js';
import { retryAfterMs } from './retry-after.js';
import { Tally } from './tally.js';

/**
 * When the backlog was full, it takes operations again only below this mark. Otherwise callers would be let in one by
 * one.
 */
const LOW_MARK = 0.95;
/**
 * Counting scheduled operations takes longer, because their rows are wider. Only callers that schedule something wait
 * for it.
 */
const COUNT_TIMEOUT_MS: Readonly<Record<Backlog, number>> = { pending: 1000, scheduled: 5000 };
const PARTIES_TIMEOUT_MS = 10_000;

/** What waited when it was counted. */
export interface BacklogCount {
  operations: number;
  settledPerSecond: number;
}

/** What each party had, and what this process has stored for it since that count began. */
interface PartyCount {
  operations: ReadonlyMap<number, number>;
  since: Tally;
}

export interface BacklogLimitOptions {
  backlog: Backlog;
  /** 0: no limit. */
  limit: number;
  /** The share that one party may take of it, in percent. */
  share: number;
  count: () => Promise<BacklogCount>;
  /** Counts how many operations of each party wait. */
  countParties: () => Promise<ReadonlyMap<number, number>>;
  onFailure: (error: unknown) => void;
}

/**
 * The limit of one backlog, and the shares in it. Parties are counted only while the backlog is so long that one of
 * them may have used up its share. Between two counts it adds what this process stores.
 */
export class BacklogLimit {
  private stored = 0;
  /** `storedBefore`: what this process had stored when the count began. */
  private readonly counts: PacedCount<BacklogCount & { storedBefore: number }>;
  private readonly entering = new Tally();
  private readonly parties: PacedCount<PartyCount>;
  /** What this process has stored since the last count of the parties began. */
  private storedSince = new Tally();
  private full = false;
  private readonly fullParties = new Set<number>();

  constructor(private readonly options: BacklogLimitOptions) {
    const { backlog, onFailure } = options;
    this.counts = new PacedCount({ read: () => this.count(), timeoutMs: COUNT_TIMEOUT_MS[backlog], onFailure });
    this.parties = new PacedCount({ read: () => this.countParties(), timeoutMs: PARTIES_TIMEOUT_MS, onFailure });
  }

  /** Undefined: it is not known. */
  get estimate(): number | undefined {
    const count = this.counts.value;
    return count && count.operations + this.stored - count.storedBefore + this.entering.total;
  }

  enter({ party, operations }: Demand): void {
    this.entering.add(party, operations);
  }

  conclude({ party, operations }: Demand, stored: number): void {
    this.entering.add(party, -operations);
    this.stored += stored;
    // While no party can have used up its share, parties are not counted, and there may be any number of them.
    if (!this.isCrowded()) return;
    for (const tally of new Set([this.storedSince, this.parties.value?.since])) tally?.add(party, stored);
  }

  /** Waits for the counts that are due, if a refusal depends on them. */
  async refresh(isRefused: () => boolean): Promise<void> {
    if (this.options.limit === 0) return;
    await this.counts.refresh(isRefused);
    if (this.isCrowded()) await this.parties.refresh(isRefused);
    else this.forgetParties();
  }

  /** Why the operations are refused. Undefined when they are not. */
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

  private async count(): Promise<BacklogCount & { storedBefore: number }> {
    const storedBefore = this.stored;
    return { ...(await this.options.count()), storedBefore };
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

  /** A scheduled operation leaves the backlog when its time has come, however fast operations are settled. */
  private retryAfterMs(excess: number): number {
    const rate = this.options.backlog === 'pending' ? (this.counts.value?.settledPerSecond ?? 0) : 0;
    return retryAfterMs(excess, rate);
  }
}
