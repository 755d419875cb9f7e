import { BulkThrottle } from './bulk-throttle.js';
import { CommitDelay, type WaitingForFlush, type CommitDelayLimits } from './commit-delay.js';

/** What one flush may take. A single item beyond the size still gets a flush of its own. */
export interface FlushLimits {
  items: number;
  bytes: number;
}

/** What may wait for a flush. A larger submission is accepted only when nothing else waits. */
export type WaitingLimits = FlushLimits;

/** What is more than this part of a flush is large. */
const LARGE = 1 / 10;
/** A flush that takes longer is long, like a large one: other orders do not wait for its end. An ordinary one takes 2 to 10 ms. */
const LONG_MS = 10;

/** Each flush begins as soon as the one before has ended. */
const NEVER_GATHER: CommitDelayLimits = { callers: Infinity, items: 0, bytes: 0, ms: 0 };

/** Items of one submission. A flush may take a part of them. */
interface Waiting<Item, Answer> {
  order: unknown;
  items: readonly Item[];
  /** True when it is large by itself. */
  bulk: boolean;
  /** How many of them a flush has taken. */
  taken: number;
  /** The size of those that no flush has taken. */
  bytesLeft: number;
  answers: Answer[];
  resolve: (answers: Answer[]) => void;
}

/** The rough size of an item in memory and in its statement. */
export interface Sized {
  bytes: number;
}

/** The submissions of one order, or of several that need no shares. */
type Queue<Item, Answer> = readonly Waiting<Item, Answer>[];

interface QueuesBySize<Item, Answer> {
  large: Queue<Item, Answer>[];
  small: Queue<Item, Answer>[];
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
 * So a second flush begins only beside a long or large one, and only for other orders. Orders that have much waiting have
 * a flush without those that have little, and those go beside it at once. So a caller with one item does not wait for
 * another caller's ten thousand. It waits only when two callers with thousands are flushed at once. If more waits than a
 * flush may take, each order gets an equal part. A submission that is large by itself is bulk. After a flush of bulk,
 * orders with bulk pause while others send: see `BulkThrottle`.
 */
export class GroupCommit<Item extends Sized, Answer> {
  private readonly commitDelay: CommitDelay;
  private readonly bulkThrottle = new BulkThrottle();
  private waiting: Waiting<Item, Answer>[] = [];
  private waitingItems = 0;
  private waitingBytes = 0;
  private flushing: Promise<void> | undefined;
  /** The orders of the flushes that are under way. */
  private readonly busy = new Set<unknown>();
  /** What may be flushed beside the flush that is under way, or during a pause. */
  private mayGoBeside: 'nothing' | 'small' | 'all but bulk' | 'all' = 'nothing';
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
    const bytesLeft = items.reduce((sum, { bytes }) => sum + bytes, 0);
    const bulk = this.isLarge(items.length, bytesLeft);
    this.bulkThrottle.note(order, bulk);
    const submitted = new Promise<Answer[]>((resolve) => {
      this.waiting.push({ order, items, bulk, taken: 0, bytesLeft, answers: [], resolve });
    });
    this.waitingItems += items.length;
    this.waitingBytes += bytesLeft;
    this.commitDelay.update(this.present);
    this.flushing ??= this.flushAll();
    this.flushBeside();
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
    const { large, small } = this.queuesBySize();
    const group = this.takeGroup(large.length > 0 ? large : small);
    const flushed = this.commitGroup(group);
    const long = setTimeout(() => this.letGoBeside('all'), LONG_MS);
    if (large.length > 0) this.letGoBeside('small');
    const answered = await flushed;
    clearTimeout(long);
    const flushMs = performance.now() - startedAt;
    this.mayGoBeside = 'nothing';
    this.commitDelay.update(this.present);
    this.commitDelay.begin(answered + this.waiting.length, flushMs);
    if (group.parts.some(({ submission }) => submission.bulk)) await this.pauseBulk(flushMs);
  }

  /** Orders with bulk submissions wait. The others have their flushes meanwhile. */
  private async pauseBulk(flushMs: number): Promise<void> {
    // The room of those that wait must not fill up: then everybody would be refused.
    const pauseMs = this.isHalfFull ? 0 : this.bulkThrottle.pauseAfter(flushMs);
    if (pauseMs === 0) return;
    this.letGoBeside('all but bulk');
    await new Promise((resolve) => setTimeout(resolve, pauseMs));
    this.mayGoBeside = 'nothing';
  }

  private get isHalfFull(): boolean {
    const { items, bytes } = this.waitingLimits;
    return this.waitingItems > items / 2 || this.waitingBytes > bytes / 2;
  }

  private letGoBeside(what: 'small' | 'all but bulk' | 'all'): void {
    this.mayGoBeside = what;
    this.flushBeside();
  }

  /** Flushes other orders, again and again, while a large or a long flush is under way, and during a pause. */
  private flushBeside(): void {
    if (this.mayGoBeside === 'nothing' || this.beside !== undefined || this.free.length === 0) return;
    const queues = this.queuesBeside();
    if (queues.length === 0) return;
    this.beside = this.commitGroup(this.takeGroup(queues)).then(() => {
      this.beside = undefined;
      this.flushBeside();
    });
  }

  /** Small ones come first. */
  private queuesBeside(): Queue<Item, Answer>[] {
    if (this.mayGoBeside === 'all but bulk') {
      return byOrder(this.free).filter((queue) => !queue.some(({ bulk }) => bulk));
    }
    const { large, small } = this.queuesBySize();
    return small.length > 0 || this.mayGoBeside === 'small' ? small : large;
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

  /** Each queue gets an equal part, and then what is left of the others. */
  private takeGroup(queues: readonly Queue<Item, Answer>[]): Group<Item, Answer> {
    const group: Group<Item, Answer> = { items: [], bytes: 0, parts: [] };
    const share = this.partOf(1 / queues.length);
    for (const queue of queues) take(queue, group, share, this.limits);
    for (const queue of queues) take(queue, group, this.limits, this.limits);
    this.waiting = this.waiting.filter((submission) => submission.taken < submission.items.length);
    this.waitingItems -= group.items.length;
    this.waitingBytes -= group.bytes;
    return group;
  }

  private queuesBySize(): QueuesBySize<Item, Answer> {
    const { free } = this;
    if (!this.isLarge(this.waitingItems, this.waitingBytes)) return { large: [], small: [free] };
    const queues = byOrder(free);
    const isLarge = (queue: Queue<Item, Answer>): boolean => this.isLarge(itemsIn(queue), bytesIn(queue));
    return { large: queues.filter(isLarge), small: queues.filter((queue) => !isLarge(queue)) };
  }

  private isLarge(items: number, bytes: number): boolean {
    const part = this.partOf(LARGE);
    return items > part.items || bytes > part.bytes;
  }

  private partOf(part: number): FlushLimits {
    return { items: Math.ceil(this.limits.items * part), bytes: this.limits.bytes * part };
  }
}

/** What no flush has taken. */
function itemsIn<Item, Answer>(queue: Queue<Item, Answer>): number {
  return queue.reduce((sum, { items, taken }) => sum + items.length - taken, 0);
}

function bytesIn<Item, Answer>(queue: Queue<Item, Answer>): number {
  return queue.reduce((sum, { bytesLeft }) => sum + bytesLeft, 0);
}

/** One without an order stands alone. */
function orderOf<Item, Answer>(submission: Waiting<Item, Answer>): unknown {
  return submission.order ?? submission;
}

/** The submissions of each order. */
function byOrder<Item, Answer>(waiting: Queue<Item, Answer>): Queue<Item, Answer>[] {
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
  queue: Queue<Item, Answer>,
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
      submission.bytesLeft -= next.bytes;
    }
    if (submission.taken > taken) group.parts.push({ submission, count: submission.taken - taken });
    if (submission.taken < items.length) return;
  }
}
