import { Logger } from '@nestjs/common';

/** Begun so often, the second time with nothing else under way, and both times the process ended: it is not tried a third time. */
const MOST_ATTEMPTS = 2;
/** The record of so many costs as much as that of one. */
const AT_ONCE = 50;

/** Where attempts are recorded: it has to outlive the process. */
export interface AttemptLog {
  /** How often each was begun without an end that is known. */
  count(fingerprints: readonly string[]): Promise<ReadonlyMap<string, number>>;
  begin(fingerprints: readonly string[]): Promise<void>;
  conclude(fingerprints: readonly string[]): Promise<void>;
}

/**
 * The messages of a channel that were delivered before. One of them may be what ended the process that had it, so each is recorded
 * before it is begun again: at first many together, then, what was begun without an end that is known, alone. It promises that a
 * message that ends its process is found in its fourth delivery, and that no other is taken for it. It leaves to others that one line
 * at a time uses it, while nothing else is executed (see `ExecutionGate`).
 */
export class Suspects {
  private readonly logger = new Logger('RPC');
  private begun: readonly string[] = [];
  /** Their attempts have ended, which could not be recorded yet. */
  private ended: readonly string[] = [];

  constructor(private readonly log: AttemptLog) {}

  /**
   * @param fingerprints of those that come next, in their order
   * @returns how many of them may be begun now; 0: the first may not be begun any more
   * @throws what the database throws; none may be begun then
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

  /** Those that were begun last have come to an end. */
  async conclude(): Promise<void> {
    const begun = this.begun;
    this.begun = [];
    await this.forget(begun);
  }

  /** A record that is left behind makes its message one that is begun alone, if it ever comes again. */
  async forget(fingerprints: readonly string[]): Promise<void> {
    await this.log.conclude(fingerprints).catch((error: unknown) => {
      this.ended = [...this.ended, ...fingerprints];
      this.logger.warn(`The records of ${fingerprints.length} messages were not deleted: ${(error as Error).message}`);
    });
  }
}

/**
 * How many of the messages that come next may be begun together, by how often each was begun without an end that is known. 0: the
 * first may not be begun any more.
 */
export function chooseSuspects(attempts: readonly number[]): number {
  const [first = 0] = attempts;
  if (first >= MOST_ATTEMPTS) return 0;
  if (first > 0) return 1;
  const known = attempts.findIndex((count) => count > 0);
  return known === -1 ? attempts.length : known;
}
