/** How a failed attempt is to be read. `abort`: nobody's fault here; `all`: maybe true of every item; `item`: of at least one. */
export type Blame = 'abort' | 'all' | 'item';

export interface IsolationPort<T, R> {
  /**
   * Executes the items as one. Either all take effect and each has its result, in order, or none does and it throws. With
   * no items it shows whether items can be executed at all.
   */
  attempt(items: readonly T[]): Promise<readonly R[]>;
  blame(error: unknown, items: readonly T[]): Blame;
  /** The result of an item that failed alone. */
  failure(item: T, error: unknown): R;
  /** The index of the item that the error seems to name. Only a hint: nothing is blamed for it. */
  suspect?(error: unknown, items: readonly T[]): number | undefined;
}

/** With more than this share failing, halving costs more than going one by one. */
const DENSE_SHARE = 1 / 8;
const DENSE_SAMPLE = 64;

/**
 * Finds the items that fail and lands all others, with as few attempts as it can: by the hint of the error where it gives
 * one, else by halves, one by one where failures are dense. An item's failure comes only from an attempt with that item
 * alone, or, for errors that say nothing about any item, from an attempt without items.
 *
 * The items must commute: any order of them has the same effect.
 */
export async function isolate<T, R>(items: readonly T[], port: IsolationPort<T, R>): Promise<R[]> {
  return new Isolation(port).run(items);
}

class Isolation<T, R> {
  private tried = 0;
  private failed = 0;
  /** A hint that named the wrong item would cost an attempt for each item if it were followed again and again. */
  private trustsHints = true;
  /** An attempt without items has succeeded: whatever fails is the fault of some item. */
  private sound = false;

  constructor(private readonly port: IsolationPort<T, R>) {}

  async run(items: readonly T[]): Promise<R[]> {
    if (items.length === 0) return [];
    if (items.length > 1 && this.isDense()) return this.oneByOne(items);
    try {
      const results = await this.port.attempt(items);
      this.tried += items.length;
      return [...results];
    } catch (error) {
      return this.afterFailure(items, error);
    }
  }

  private async afterFailure(items: readonly T[], error: unknown): Promise<R[]> {
    const blame = this.port.blame(error, items);
    if (blame === 'abort') throw error;
    if (items.length === 1) return [this.recordFailure(items[0]!, error)];
    if (blame === 'all' && !this.sound) return this.proveForAll(items);

    const suspect = this.trustsHints ? this.port.suspect?.(error, items) : undefined;
    if (suspect !== undefined && !this.isDense()) return this.aroundSuspect(items, suspect);
    const middle = Math.ceil(items.length / 2);
    return [...(await this.run(items.slice(0, middle))), ...(await this.run(items.slice(middle)))];
  }

  private async aroundSuspect(items: readonly T[], suspect: number): Promise<R[]> {
    const before = await this.run(items.slice(0, suspect));
    const failedBefore = this.failed;
    const named = await this.run(items.slice(suspect, suspect + 1));
    if (this.failed === failedBefore) this.trustsHints = false;
    return [...before, ...named, ...(await this.run(items.slice(suspect + 1)))];
  }

  /** Without items only the statement as such can fail; then no item need be tried. */
  private async proveForAll(items: readonly T[]): Promise<R[]> {
    try {
      await this.port.attempt([]);
    } catch (error) {
      if (this.port.blame(error, []) === 'abort') throw error;
      return items.map((item) => this.recordFailure(item, error));
    }
    this.sound = true;
    const middle = Math.ceil(items.length / 2);
    return [...(await this.run(items.slice(0, middle))), ...(await this.run(items.slice(middle)))];
  }

  private async oneByOne(items: readonly T[]): Promise<R[]> {
    const results: R[] = [];
    for (const item of items) results.push(...(await this.run([item])));
    return results;
  }

  private recordFailure(item: T, error: unknown): R {
    this.tried += 1;
    this.failed += 1;
    return this.port.failure(item, error);
  }

  private isDense(): boolean {
    return this.tried >= DENSE_SAMPLE && this.failed > this.tried * DENSE_SHARE;
  }
}
