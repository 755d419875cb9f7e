import { Logger } from '@nestjs/common';
import type { MessageAttemptsService } from '../../services/rabbitmq/message-attempts.service.js';

/**
 * The maximum number of attempts. The first one is made together with other messages, each later one with nothing else
 * in progress. If the process ends every time, there is no further attempt.
 */
const MOST_ATTEMPTS = 4;
/** Recording this many costs as much as recording one. */
const AT_ONCE = 50;
/**
 * A process holds a message for this long before it begins it alone. If something else ends processes soon after they
 * get the queue, it ends this one without an attempt. The first attempt of a process takes up to 80 ms. So of processes
 * that are killed at random moments, however often, at most 80 / (1000 e) = 3 % are killed during it. That three in a
 * row are has a probability of 0.003 %.
 */
const HELD_MS = 1000;

/** Where attempts are recorded. The record has to survive the process. */
export type AttemptLog = Pick<MessageAttemptsService, 'count' | 'begin' | 'conclude'>;

/**
 * The messages of a process that were delivered before. One of them may have ended an earlier process, so each is
 * recorded before it is begun again. At first many are begun together. Those whose attempt has no known end are then
 * begun alone. It promises that a message that ends its process is found in its sixth delivery, and that a message is
 * blamed for the end of processes only if they ended during three attempts at it alone.
 */
export class Suspects {
  private readonly logger = new Logger('RPC');
  /** Attempts that have ended, but for which this could not be recorded yet. */
  private readonly ended = new Set<string>();

  constructor(private readonly log: AttemptLog) {}

  /**
   * @param fingerprints of the next messages, in their order
   * @param since when the first of them was delivered
   * @returns how many of them may be begun now; 0: the first one may not be begun any more
   * @throws any error of the database; then none may be begun
   */
  async choose(fingerprints: readonly string[], since: number): Promise<number> {
    if (this.ended.size > 0) {
      const ended = [...this.ended];
      await this.log.conclude(ended);
      for (const fingerprint of ended) this.ended.delete(fingerprint);
    }
    const first = fingerprints.slice(0, AT_ONCE);
    const found = await this.log.count(first);
    const attempts = first.map((fingerprint) => found.get(fingerprint) ?? 0);
    const left = since + HELD_MS - performance.now();
    if (attempts[0] === 0 || left <= 0) return chooseSuspects(attempts);
    await new Promise((resolve) => setTimeout(resolve, left));
    // On a channel that was lost, an attempt may have ended meanwhile.
    return this.choose(fingerprints, since);
  }

  /**
   * Call it before these messages are begun.
   *
   * @throws any error of the database; then none may be begun
   */
  begin(fingerprints: readonly string[]): Promise<void> {
    return this.log.begin(fingerprints);
  }

  /**
   * Call it when these messages have ended. A record that is left behind does little harm: if its message comes again,
   * it is begun alone.
   */
  async conclude(fingerprints: readonly string[]): Promise<void> {
    await this.log.conclude(fingerprints).catch((error: unknown) => {
      for (const fingerprint of fingerprints) this.ended.add(fingerprint);
      this.logger.warn(`The records of ${fingerprints.length} messages were not deleted: ${(error as Error).message}`);
    });
  }
}

/**
 * How many of the next messages may be begun together. Each number says how often a message was begun without a known
 * end. 0: the first one may not be begun any more.
 */
export function chooseSuspects(attempts: readonly number[]): number {
  const [first = 0] = attempts;
  if (first >= MOST_ATTEMPTS) return 0;
  if (first > 0) return 1;
  const known = attempts.findIndex((count) => count > 0);
  return known === -1 ? attempts.length : known;
}
