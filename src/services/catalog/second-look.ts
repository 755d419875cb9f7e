import { setTimeout as delay } from 'node:timers/promises';

/** After a question comes a pause of so many times what it took. */
const PAUSE_FACTOR = 20;
/** Milliseconds. The longest is for a database that answers slowly: whoever asks waits for it, and whoever is stored together with them. */
const SHORTEST_PAUSE_MS = 5;
const LONGEST_PAUSE_MS = 25;

interface Question<Answer> {
  names: Set<string>;
  answer: Promise<Answer>;
}

/**
 * Asks about names, one question at a time for all who ask. Whoever asks gets an answer that began after they had asked, so it is
 * never out of date. It promises that names which somebody makes up cost next to nothing, however many there are: nothing is
 * remembered of them, and after each question comes a pause.
 */
export class SecondLook<Answer> {
  private next: Question<Answer> | undefined;
  /** Settles with the question that was asked last. */
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
