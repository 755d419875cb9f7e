import { Logger } from '@nestjs/common';
import type { DatabaseService } from '../database/database.service.js';
import { countBacklog, countParties, RATE_WINDOW_SECONDS, type BacklogRow, type PartyRow } from './backlog.sql.js';
import type { Backlog, Demand } from './demand.js';
import { excessOf, hasItsShare, isCrowded, type Room } from './fair-share.js';
import type { FullBacklog } from './overload-errors.js';
import { PacedCount } from './paced-count.js';
import { Tally } from './tally.js';

/**
 * A full backlog accepts operations again only below this part of its limit. Otherwise callers would get in one by one.
 */
const LOW_MARK = 0.95;
/**
 * The count of scheduled operations takes longer, because their rows are wider. Only callers that schedule operations
 * wait for it.
 */
const COUNT_TIMEOUT_MS: Readonly<Record<Backlog, number>> = { pending: 1000, scheduled: 5000 };
const PARTIES_TIMEOUT_MS = 10_000;
const SOONEST_MS = 1000;
const LATEST_MS = 60_000;

/** A count, and how many operations this process had stored when the count began. */
interface BacklogCount extends BacklogRow {
  storedBefore: number;
}

/** The operations of each party, and those that this process has stored since that count began. */
interface PartyCount {
  operations: ReadonlyMap<number, number>;
  since: Tally;
}

/**
 * The limit of one backlog, and the shares in it. Parties are counted only while the backlog is so long that a party
 * may have used up its share. Between two counts, the operations that this process stores are added.
 */
export class BacklogLimit {
  private readonly logger = new Logger('BacklogService');
  private stored = 0;
  private readonly counts: PacedCount<BacklogCount>;
  private readonly entering = new Tally();
  private readonly parties: PacedCount<PartyCount>;
  /** The operations that this process has stored since the last count of the parties began. */
  private storedSince = new Tally();
  private full = false;
  private readonly fullParties = new Set<number>();

  /**
   * @param limit 0: no limit
   * @param share the share that one party may take of it, in percent
   */
  constructor(
    private readonly database: Pick<DatabaseService, 'query'>,
    private readonly backlog: Backlog,
    private readonly limit: number,
    private readonly share: number,
  ) {
    const onFailure = (error: unknown): void => {
      const message = 'The backlog could not be counted, so its limit refuses nothing for now';
      this.logger.warn(`${message} (${backlog}): ${(error as Error).message}`);
    };
    this.counts = new PacedCount(() => this.count(), COUNT_TIMEOUT_MS[backlog], onFailure);
    this.parties = new PacedCount(() => this.countParties(), PARTIES_TIMEOUT_MS, onFailure);
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
    // While no party can have used up its share, parties are not counted. Otherwise the tally would hold any number of
    // them.
    if (!this.isCrowded()) return;
    for (const tally of new Set([this.storedSince, this.parties.value?.since])) tally?.add(party, stored);
  }

  /** Waits for the counts that are due, if a refusal depends on them. */
  async refresh(isRefused: () => boolean): Promise<void> {
    if (this.limit === 0) return;
    await this.counts.refresh(isRefused);
    if (this.isCrowded()) await this.parties.refresh(isRefused);
    else this.forgetParties();
  }

  /** Why the operations are refused. Undefined when they are not. */
  refusalOf({ party, owner }: Demand): FullBacklog | undefined {
    const { backlog, limit } = this;
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
    const { limit, share } = this;
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

  private async count(): Promise<BacklogCount> {
    const storedBefore = this.stored;
    const { rows } = await this.database.query<BacklogRow>(countBacklog(this.backlog, this.limit + 1));
    return { ...rows[0]!, storedBefore };
  }

  private async countParties(): Promise<PartyCount> {
    const since = new Tally();
    this.storedSince = since;
    const { rows } = await this.database.query<PartyRow>(countParties(this.backlog));
    return { operations: new Map(rows.map(({ party, operations }) => [party, operations])), since };
  }

  private forgetParties(): void {
    this.parties.forget();
    this.fullParties.clear();
    this.storedSince = new Tally();
  }

  /** Scheduled operations leave the backlog when they are due, so the rate of settled operations does not help. */
  private retryAfterMs(excess: number): number {
    const settled = this.backlog === 'pending' ? (this.counts.value?.settled ?? 0) : 0;
    return retryAfterMs(excess, settled / RATE_WINDOW_SECONDS);
  }
}

/**
 * How long a queue needs to lose `excess` operations at its recent rate, from a second to a minute. If nothing was
 * settled, the rate is unknown, and it is a minute.
 */
function retryAfterMs(excess: number, settledPerSecond: number): number {
  if (settledPerSecond <= 0) return LATEST_MS;
  return Math.min(LATEST_MS, Math.max(SOONEST_MS, Math.ceil((excess / settledPerSecond) * 1000)));
}
