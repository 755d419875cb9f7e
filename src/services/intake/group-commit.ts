import { Gathering, type Gathered, type GatherLimits } from './gathering.js';

/** What one flush may take. A single item beyond the size still gets a flush of its own. */
export interface FlushLimits {
  items: number;
  bytes: number;
}

/** What may wait for its flush. A submission beyond it is taken where nothing else waits. */
export type WaitingLimits = FlushLimits;

/** Each flush begins as soon as the one before has ended. */
const NEVER_GATHER: GatherLimits = { callers: Infinity, items: 0, bytes: 0, ms: 0 };

/** Items that were handed over together; a flush may take a part of them. */
interface Waiting<Item, Answer> {
  items: readonly Sized<Item>[];
  /** How many of them a flush has taken. */
  taken: number;
  answers: Answer[];
  resolve: (answers: Answer[]) => void;
}

interface Sized<Item> {
  item: Item;
  bytes: number;
}

/**
 * Lets many callers share one write. What gathers while a flush is under way goes into the next one, so the groups grow
 * with the load by themselves; with many callers a flush waits a moment for those who were just answered (see `Gathering`).
 * Items are committed in the order in which they were handed over: one queue, and one flush at a time — two at once could
 * overtake each other in the database.
 */
export class GroupCommit<Item, Answer> {
  private readonly gathering: Gathering;
  private readonly waiting: Waiting<Item, Answer>[] = [];
  private waitingItems = 0;
  private waitingBytes = 0;
  private flushing: Promise<void> | undefined;

  /**
   * @param commit answers its items in order; it must not reject.
   */
  constructor(
    private readonly commit: (items: Item[]) => Promise<Answer[]>,
    private readonly limits: FlushLimits,
    private readonly waitingLimits: WaitingLimits = { items: Infinity, bytes: Infinity },
    gatherLimits: GatherLimits = NEVER_GATHER,
  ) {
    this.gathering = new Gathering(gatherLimits);
  }

  /** Whether these may wait as well. */
  hasRoomFor(items: readonly { bytes: number }[]): boolean {
    if (this.waitingItems === 0) return true;
    const bytes = items.reduce((sum, item) => sum + item.bytes, this.waitingBytes);
    return this.waitingItems + items.length <= this.waitingLimits.items && bytes <= this.waitingLimits.bytes;
  }

  /** The items stay together and in order. */
  submit(items: readonly Sized<Item>[]): Promise<Answer[]> {
    if (items.length === 0) return Promise.resolve([]);
    const submitted = new Promise<Answer[]>((resolve) => {
      this.waiting.push({ items, taken: 0, answers: [], resolve });
    });
    this.waitingItems += items.length;
    for (const { bytes } of items) this.waitingBytes += bytes;
    this.gathering.update(this.present);
    this.flushing ??= this.flushAll();
    return submitted;
  }

  private get present(): Gathered {
    return { callers: this.waiting.length, items: this.waitingItems, bytes: this.waitingBytes };
  }

  private async flushAll(): Promise<void> {
    // What arrives in the same turn of the event loop belongs together.
    await new Promise(setImmediate);
    while (this.waiting.length > 0) {
      await this.gathering.end();
      await this.flush();
    }
    this.flushing = undefined;
  }

  private async flush(): Promise<void> {
    const startedAt = performance.now();
    const { group, parts } = this.takeGroup();
    const answers = await this.commit(group);
    let answered = 0;
    let next = 0;
    for (const { submission, count } of parts) {
      for (const answer of answers.slice(next, next + count)) submission.answers.push(answer);
      next += count;
      if (submission.answers.length < submission.items.length) continue;
      submission.resolve(submission.answers);
      answered += 1;
    }
    this.gathering.update(this.present);
    this.gathering.begin(answered + this.waiting.length, performance.now() - startedAt);
  }

  private takeGroup(): { group: Item[]; parts: { submission: Waiting<Item, Answer>; count: number }[] } {
    const group: Item[] = [];
    const parts: { submission: Waiting<Item, Answer>; count: number }[] = [];
    let bytes = 0;
    let through = 0;
    for (const submission of this.waiting) {
      const { taken, items } = submission;
      for (let next = items[taken]; next !== undefined; next = items[submission.taken]) {
        if (group.length > 0 && (group.length >= this.limits.items || bytes + next.bytes > this.limits.bytes)) break;
        bytes += next.bytes;
        group.push(next.item);
        submission.taken += 1;
      }
      if (submission.taken > taken) parts.push({ submission, count: submission.taken - taken });
      if (submission.taken < items.length) break;
      through += 1;
    }
    this.waiting.splice(0, through);
    this.waitingItems -= group.length;
    this.waitingBytes -= bytes;
    return { group, parts };
  }
}
