import { setTimeout as delay } from 'node:timers/promises';

/** The pause after a question is this many times as long as the question took. */
const PAUSE_FACTOR = 20;
/**
 * Milliseconds. The longest pause is for a database that answers slowly: the caller waits for it, and so do the callers
 * whose operations are stored together with its own.
 */
const SHORTEST_PAUSE_MS = 5;
const LONGEST_PAUSE_MS = 25;

interface Question<Answer> {
  names: Set<string>;
  answer: Promise<Answer>;
}

/**
 * Asks about names, one question at a time for all callers. Each caller gets an answer to a question that began after
 * the caller had asked, so the answer is never out of date. Made-up names cost almost nothing, however many there are:
 * nothing is remembered of them, and a pause follows each question.
 */
export class SecondLook<Answer> {
  private next: Question<Answer> | undefined;
  /** Settles with the latest question. */
  private asked: Promise<unknown> = Promise.resolve();
  /** In milliseconds of the monotonic clock. */
  private pausesUntil = -Infinity;

  constructor(private readonly ask: (names: readonly string[]) => Promise<Answer>) {}

  look(names: readonly string[]): Promise<Answer> {
    this.next ??= this.begin();
    for (const name of names) this.next.names.add(name);
    return this.next.answer;
  }

  private begin(): Question<Answer> {
    const names = new Set<string>();
    const answer = this.asked.then(() => this.askAfterPause(names));
    this.asked = answer.catch(() => undefined);
    return { names, answer };
  }

  private async askAfterPause(names: ReadonlySet<string>): Promise<Answer> {
    await delay(Math.max(0, this.pausesUntil - performance.now()));
    this.next = undefined;
    const startedAt = performance.now();
    try {
      return await this.ask([...names]);
    } finally {
      const endedAt = performance.now();
      const pause = PAUSE_FACTOR * (endedAt - startedAt);
      this.pausesUntil = endedAt + Math.min(LONGEST_PAUSE_MS, Math.max(SHORTEST_PAUSE_MS, pause));
    }
  }
}
