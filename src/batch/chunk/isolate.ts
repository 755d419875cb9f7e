/**
 * What a failed attempt says about its items. `abort`: no item is to blame. `all`: each item may fail so. `unproven`: one item may be
 * to blame, or none. `item`: at least one item is to blame.
 */
export type Blame = 'abort' | 'all' | 'unproven' | 'item';

export interface IsolationPort<T, R> {
  /**
   * Executes the items as one. Either all take effect and each has its result, in order, or none does and it throws. With
   * no items it shows whether items can be executed at all.
   */
  attempt(items: readonly T[]): Promise<readonly R[]>;
  blame(error: unknown): Blame;
  /** The result of an item that failed alone. */
  failure(item: T, error: unknown): R;
}

/** With more than this share failing, halving costs more than going one by one. */
const DENSE_SHARE = 1 / 8;
const DENSE_SAMPLE = 64;

/**
 * Finds the items that fail and lands all others: by halves, or one by one where failures are dense. An item's failure comes only
 * from executing that item alone, or, for errors that say nothing about any item, from executing without items. An error that may
 * be nobody's fault fails an item only if that item fails alone once more while executing without items succeeds; else it is thrown.
 *
 * The items must commute: any order of them has the same effect.
 */
export async function isolate<T, R>(items: readonly T[], port: IsolationPort<T, R>): Promise<R[]> {
  return new Isolation(items, port).run();
}

interface Failure {
  error: unknown;
}

/** Works on indexes of items. */
class Isolation<T, R> {
  private readonly results: R[] = [];
  private tried = 0;
  private failed = 0;
  /** What an attempt without items gave. */
  private proof: { runs: boolean; error?: unknown } | undefined;

  constructor(
    private readonly items: readonly T[],
    private readonly port: IsolationPort<T, R>,
  ) {}

  async run(): Promise<R[]> {
    await this.attempt([...this.items.keys()]);
    return this.results;
  }

  private async attempt(at: readonly number[]): Promise<void> {
    if (at.length === 0) return;
    if (at.length > 1 && this.isDense()) {
      for (const index of at) await this.attempt([index]);
      return;
    }
    let failure: Failure | undefined;
    try {
      this.keep(at, await this.port.attempt(this.pick(at)));
      this.tried += at.length;
    } catch (error) {
      failure = { error };
    }
    if (failure !== undefined) await this.afterFailure(at, failure.error);
  }

  private async afterFailure(at: readonly number[], error: unknown): Promise<void> {
    const blame = this.blame(error);
    if (at.length === 1) return this.failAlone(at[0]!, blame, error);
    if (blame === 'all' && !(await this.canRunEmpty())) return this.failAll(at);
    const middle = Math.ceil(at.length / 2);
    await this.attempt(at.slice(0, middle));
    await this.attempt(at.slice(middle));
  }

  private isDense(): boolean {
    return this.tried >= DENSE_SAMPLE && this.failed > this.tried * DENSE_SHARE;
  }

  private blame(error: unknown): Blame {
    const blame = this.port.blame(error);
    if (blame === 'abort') throw error;
    return blame;
  }

  /**
   * An error that may be nobody's fault is followed by another attempt of the item, and what that gives counts.
   *
   * @throws the error, when it may be nobody's fault after all
   */
  private async failAlone(index: number, blame: Blame, error: unknown): Promise<void> {
    if (blame !== 'unproven') return this.fail(index, error);
    const again = await this.tryOut([index]);
    if (again === undefined) throw error;
    if (this.blame(again.error) === 'unproven') {
      const without = await this.tryOut([]);
      if (without !== undefined) {
        this.blame(without.error);
        throw again.error;
      }
    }
    this.fail(index, again.error);
  }

  private async tryOut(at: readonly number[]): Promise<Failure | undefined> {
    try {
      await this.port.attempt(this.pick(at));
      return undefined;
    } catch (error) {
      return { error };
    }
  }

  /** False when nothing can be executed even without items; then no item need be tried. */
  private async canRunEmpty(): Promise<boolean> {
    this.proof ??= await this.prove();
    return this.proof.runs;
  }

  private async prove(): Promise<{ runs: boolean; error?: unknown }> {
    try {
      await this.port.attempt([]);
      return { runs: true };
    } catch (error) {
      // Perhaps no item is to blame. Then the error says nothing about the items.
      if (this.blame(error) === 'unproven') throw error;
      return { runs: false, error };
    }
  }

  private failAll(at: readonly number[]): void {
    for (const index of at) this.fail(index, this.proof?.error);
  }

  private fail(index: number, error: unknown): void {
    this.tried += 1;
    this.failed += 1;
    this.results[index] = this.port.failure(this.items[index]!, error);
  }

  private keep(at: readonly number[], results: readonly R[]): void {
    at.forEach((index, position) => {
      this.results[index] = results[position]!;
    });
  }

  private pick(at: readonly number[]): T[] {
    return at.map((index) => this.items[index]!);
  }
}
