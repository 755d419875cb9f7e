/** What one flush may take. A single item beyond the size still gets a flush of its own. */
export interface FlushLimits {
  items: number;
  bytes: number;
}

interface Waiting<Item, Answer> {
  item: Item;
  bytes: number;
  answer: (answer: Answer) => void;
}

/**
 * Lets many callers share one write. What gathers while a flush is under way goes into the next one, so the groups grow
 * with the load by themselves and nobody waits for a timer. Items are committed in the order in which they were handed
 * over: one queue, and one flush at a time — two at once could overtake each other in the database.
 */
export class GroupCommit<Item, Answer> {
  private readonly waiting: Waiting<Item, Answer>[] = [];
  private flushing: Promise<void> | undefined;

  /**
   * @param commit answers its items in order; it must not reject.
   */
  constructor(
    private readonly commit: (items: Item[]) => Promise<Answer[]>,
    private readonly limits: FlushLimits,
  ) {}

  /** The items stay together and in order. */
  submit(items: readonly { item: Item; bytes: number }[]): Promise<Answer[]> {
    const submitted = Promise.all(
      items.map(({ item, bytes }) => new Promise<Answer>((answer) => this.waiting.push({ item, bytes, answer }))),
    );
    this.flushing ??= this.flushAll();
    return submitted;
  }

  /** Resolves when nothing waits any more. */
  async drain(): Promise<void> {
    while (this.flushing !== undefined) await this.flushing;
  }

  private async flushAll(): Promise<void> {
    // What arrives in the same turn of the event loop belongs together.
    await new Promise(setImmediate);
    while (this.waiting.length > 0) await this.flush(this.takeGroup());
    this.flushing = undefined;
  }

  private async flush(group: readonly Waiting<Item, Answer>[]): Promise<void> {
    const answers = await this.commit(group.map(({ item }) => item));
    group.forEach(({ answer }, index) => answer(answers[index]!));
  }

  private takeGroup(): Waiting<Item, Answer>[] {
    let count = 0;
    let bytes = 0;
    for (const next of this.waiting) {
      bytes += next.bytes;
      if (count > 0 && (count >= this.limits.items || bytes > this.limits.bytes)) break;
      count++;
    }
    return this.waiting.splice(0, count);
  }
}
