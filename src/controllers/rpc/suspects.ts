import { Logger } from '@nestjs/common';
import type { MessageAttemptsService } from '../../services/rabbitmq/message-attempts.service.js';

/**
 * The maximum number of attempts. The second one is made with nothing else in progress. If the process ends both times,
 * there is no third attempt.
 */
const MOST_ATTEMPTS = 2;
/** Recording this many costs as much as recording one. */
const AT_ONCE = 50;

/** Where attempts are recorded. The record has to survive the process. */
export type AttemptLog = Pick<MessageAttemptsService, 'count' | 'begin' | 'conclude'>;

/**
 * The messages of a channel that were delivered before. One of them may have ended its process, so each is recorded
 * before it is begun again. At first many are begun together. Those whose attempt has no known end are then begun
 * alone. It promises that a message that ends its process is found in its fourth delivery, and that no other message is
 * blamed.
 */
export class Suspects {
  private readonly logger = new Logger('RPC');
  private begun: readonly string[] = [];
  /** Attempts that have ended, but for which this could not be recorded yet. */
  private ended: readonly string[] = [];

  constructor(private readonly log: AttemptLog) {}

  /**
   * @param fingerprints of the next messages, in their order
   * @returns how many of them may be begun now; 0: the first one may not be begun any more
   * @throws any error of the database; then none may be begun
   */
  async begin(fingerprints: readonly string[]): Promise<number> {
    if (this.ended.length > 0) {
      await this.log.conclude(this.ended);
      this.ended = [];
    }
    const first = fingerprints.slice(0, AT_ONCE);
    const attempts = await this.log.count(first);
    const count = chooseSuspects(first.map((fingerprint) => attempts.get(fingerprint) ?? 0));
    const chosen = first.slice(0, count);
    if (count > 0) await this.log.begin(chosen);
    this.begun = chosen;
    return count;
  }

  /** Call it when the messages that were begun last have ended. */
  async conclude(): Promise<void> {
    const begun = this.begun;
    this.begun = [];
    await this.forget(begun);
  }

  /** A record that is left behind does little harm: if its message comes again, it is begun alone. */
  async forget(fingerprints: readonly string[]): Promise<void> {
    await this.log.conclude(fingerprints).catch((error: unknown) => {
      this.ended = [...this.ended, ...fingerprints];
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
