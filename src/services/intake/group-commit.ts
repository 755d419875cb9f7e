import { CommitDelay, type WaitingForFlush, type CommitDelayLimits } from './commit-delay.js';

/** What one flush may take. A single item beyond the size still gets a flush of its own. */
export interface FlushLimits {
  items: number;
  bytes: number;
}

/** What may wait for a flush. A larger submission is accepted only when nothing else waits. */
export type WaitingLimits = FlushLimits;

/** A shared flush has at least this number of parts. Each order gets one of them, and a second one if there is room. */
const SHARED_PARTS = 10;
/** A flush that takes longer is long: other orders do not wait for its end. An ordinary one takes 2 to 10 ms. */
const LONG_MS = 10;

/** Each flush begins as soon as the one before has ended. */
const NEVER_GATHER: CommitDelayLimits = { callers: Infinity, items: 0, bytes: 0, ms: 0 };

/** Items of one submission. A flush may take a part of them. */
interface Waiting<Item, Answer> {
  order: unknown;
  items: readonly Item[];
  /** How many of them a flush has taken. */
  taken: number;
  answers: Answer[];
  resolve: (answers: Answer[]) => void;
}

/** The rough size of an item in memory and in its statement. */
export interface Sized {
  bytes: number;
}

/** What a flush takes. */
interface Group<Item, Answer> {
  items: Item[];
  bytes: number;
  parts: { submission: Waiting<Item, Answer>; count: number }[];
}

/**
 * Lets many callers share one write. Items that arrive during a flush go into the next one, so the groups grow with the
 * load. With many callers a flush waits a moment for those who were just answered: see `CommitDelay`. Items of one
 * order are committed in the order of their submission. Two flushes at once could overtake each other in the database.
 * So a second flush begins only beside a long one, and only for other orders. If more waits than a flush may take, each
 * order gets an equal and small part. So a caller with one item waits only for a few of another caller's ten thousand.
 */
export class GroupCommit<Item extends Sized, Answer> {
  private readonly commitDelay: CommitDelay;
  private waiting: Waiting<Item, Answer>[] = [];
  private waitingItems = 0;
  private waitingBytes = 0;
  private flushing: Promise<void> | undefined;
  /** The orders of the flushes that are under way. */
  private readonly busy = new Set<unknown>();
  private isLong = false;
  private beside: Promise<void> | undefined;

  /**
   * @param commit answers its items in order; it must not reject.
   */
  constructor(
    private readonly commit: (items: Item[]) => Promise<Answer[]>,
    private readonly limits: FlushLimits,
    private readonly waitingLimits: WaitingLimits = { items: Infinity, bytes: Infinity },
    commitDelayLimits: CommitDelayLimits = NEVER_GATHER,
  ) {
    this.commitDelay = new CommitDelay(commitDelayLimits);
  }

  /** Whether these may wait as well. */
  hasRoomFor(items: readonly Sized[]): boolean {
    if (this.waitingItems === 0) return true;
    const bytes = items.reduce((sum, item) => sum + item.bytes, this.waitingBytes);
    return this.waitingItems + items.length <= this.waitingLimits.items && bytes <= this.waitingLimits.bytes;
  }

  /**
   * The items stay in order.
   *
   * @param order items with the same order are committed in the order of the calls; undefined: an order of its own
   */
  submit(items: readonly Item[], order?: unknown): Promise<Answer[]> {
    if (items.length === 0) return Promise.resolve([]);
    const submitted = new Promise<Answer[]>((resolve) => {
      this.waiting.push({ order, items, taken: 0, answers: [], resolve });
    });
    this.waitingItems += items.length;
    for (const { bytes } of items) this.waitingBytes += bytes;
    this.commitDelay.update(this.present);
    this.flushing ??= this.flushAll();
    if (this.isLong) this.flushBeside();
    return submitted;
  }

  private get present(): WaitingForFlush {
    return { callers: this.waiting.length, items: this.waitingItems, bytes: this.waitingBytes };
  }

  private async flushAll(): Promise<void> {
    // What arrives in the same turn of the event loop belongs together.
    await new Promise(setImmediate);
    while (this.waiting.length > 0) {
      await this.commitDelay.end();
      if (this.free.length === 0) await this.beside;
      else await this.flush();
    }
    this.flushing = undefined;
  }

  /** What waits, without the orders that have a flush under way. */
  private get free(): Waiting<Item, Answer>[] {
    return this.busy.size === 0 ? this.waiting : this.waiting.filter((each) => !this.busy.has(orderOf(each)));
  }

  private async flush(): Promise<void> {
    const startedAt = performance.now();
    const flushed = this.commitGroup(this.takeGroup());
    const long = setTimeout(() => this.flushBeside(), LONG_MS);
    const answered = await flushed;
    clearTimeout(long);
    this.isLong = false;
    this.commitDelay.update(this.present);
    this.commitDelay.begin(answered + this.waiting.length, performance.now() - startedAt);
  }

  /** Flushes other orders, again and again, while a long flush is under way. */
  private flushBeside(): void {
    this.isLong = true;
    if (this.beside !== undefined || this.free.length === 0) return;
    this.beside = this.commitGroup(this.takeGroup()).then(() => {
      this.beside = undefined;
      if (this.isLong) this.flushBeside();
    });
  }

  /** @returns how many submissions were answered */
  private async commitGroup({ items, parts }: Group<Item, Answer>): Promise<number> {
    const orders = parts.map(({ submission }) => orderOf(submission));
    for (const order of orders) this.busy.add(order);
    const answers = await this.commit(items);
    for (const order of orders) this.busy.delete(order);
    let answered = 0;
    let next = 0;
    for (const { submission, count } of parts) {
      for (const answer of answers.slice(next, next + count)) submission.answers.push(answer);
      next += count;
      if (submission.answers.length < submission.items.length) continue;
      submission.resolve(submission.answers);
      answered += 1;
    }
    return answered;
  }

  private takeGroup(): Group<Item, Answer> {
    const group: Group<Item, Answer> = { items: [], bytes: 0, parts: [] };
    const { items, bytes } = this.limits;
    const fitsWhole = this.waitingItems <= items && this.waitingBytes <= bytes;
    const { free } = this;
    const queues = fitsWhole ? [free] : byOrder(free);
    const partOf = (parts: number): FlushLimits => ({ items: Math.ceil(items / parts), bytes: bytes / parts });
    // A large order gets only a small part of a shared flush. Otherwise all others would wait long for it.
    const most = queues.length === 1 ? this.limits : partOf(SHARED_PARTS);
    const share = partOf(Math.max(queues.length, SHARED_PARTS));
    for (const queue of queues) take(queue, group, share, this.limits);
    for (const queue of queues) take(queue, group, most, this.limits);
    this.waiting = this.waiting.filter((submission) => submission.taken < submission.items.length);
    this.waitingItems -= group.items.length;
    this.waitingBytes -= group.bytes;
    return group;
  }
}

/** One without an order stands alone. */
function orderOf<Item, Answer>(submission: Waiting<Item, Answer>): unknown {
  return submission.order ?? submission;
}

/** The submissions of each order. */
function byOrder<Item, Answer>(waiting: readonly Waiting<Item, Answer>[]): Waiting<Item, Answer>[][] {
  const queues = new Map<unknown, Waiting<Item, Answer>[]>();
  for (const submission of waiting) {
    const order = orderOf(submission);
    const queue = queues.get(order);
    if (queue === undefined) queues.set(order, [submission]);
    else queue.push(submission);
  }
  return [...queues.values()];
}

/** Takes items from the beginning of a queue, up to its share and the limits of the group. */
function take<Item extends Sized, Answer>(
  queue: readonly Waiting<Item, Answer>[],
  group: Group<Item, Answer>,
  share: FlushLimits,
  limits: FlushLimits,
): void {
  const left = {
    items: Math.min(share.items, limits.items - group.items.length),
    bytes: Math.min(share.bytes, limits.bytes - group.bytes),
  };
  for (const submission of queue) {
    const { items, taken } = submission;
    for (let next = items[taken]; next !== undefined; next = items[submission.taken]) {
      if (group.items.length > 0 && (left.items < 1 || left.bytes < next.bytes)) break;
      group.items.push(next);
      group.bytes += next.bytes;
      left.items -= 1;
      left.bytes -= next.bytes;
      submission.taken += 1;
    }
    if (submission.taken > taken) group.parts.push({ submission, count: submission.taken - taken });
    if (submission.taken < items.length) return;
  }
}
