/**
 * What a failed attempt says about its items. `abort`: no item is to blame. `all`: each item may fail so. `many`: there may only be
 * too many items. `unproven`: one item may be to blame, or none. `item`: at least one item is to blame.
 */
export type Blame = 'abort' | 'all' | 'many' | 'unproven' | 'item';

export interface IsolationPort<T, R> {
  /**
   * Executes the items as one. Either all take effect and each has its result, in order, or none does and it throws. With
   * no items it shows whether items can be executed at all.
   */
  attempt(items: readonly T[]): Promise<readonly R[]>;
  blame(error: unknown, items: readonly T[]): Blame;
  /** The result of an item that failed alone. */
  failure(item: T, error: unknown): R;
  /** The indexes of the items that the error seems to name. Only a hint: nothing is blamed for it. */
  suspects?(error: unknown, items: readonly T[]): readonly number[] | Promise<readonly number[]>;
  /** Absent where an effect cannot be tried and undone. */
  rehearsal?: Rehearsal<T, R>;
}

export interface Rehearsal<T, R> {
  /** Executes each set as one, by itself, and undoes it. Answers what each threw, `undefined` for success. */
  probe(sets: readonly (readonly T[])[]): Promise<readonly unknown[]>;
  /** Executes items that a probe has shown to be good. If it throws, no item is to blame. */
  land(items: readonly T[]): Promise<readonly R[]>;
  /**
   * Lands what it can of items that failed together with this error. Answers the result of each item that landed, and `undefined`
   * for the others. Answers `undefined` alone if it knows no way for this error. If another error occurs, it throws and has no effect.
   */
  salvage?(items: readonly T[], error: unknown): Promise<readonly (R | undefined)[] | undefined>;
}

/** What all items, attempted as one, have thrown already. */
export interface FirstFailure {
  error: unknown;
}

/** Without rehearsal: with more than this share failing, halving costs more than going one by one. */
const DENSE_SHARE = 1 / 8;
const DENSE_SAMPLE = 64;
/** While no more failures than these are to be expected, attempting the rest once more is cheaper than probing it in blocks. */
const FEW_FAILURES = 4;
const MAX_HINTED_ATTEMPTS = 6;
/** So few items are executed twice, in a probe and at the end. That is cheaper than another attempt. */
const FEW_ITEMS = 64;
/** Items of one round; it grows, so that the density of failures is known before most of the blocks are cut. */
const FIRST_WINDOW = 128;
const WINDOW_GROWTH = 8;
const MAX_WINDOW = 1024;
/** Smaller blocks save no probes, because about every second block fails. */
const SMALLEST_BLOCK = 3;

/**
 * Finds the items that fail and lands all others, with as few attempts as it can. An item's failure comes only from
 * executing that item alone, or, for errors that say nothing about any item, from executing without items. An error that may be
 * nobody's fault fails an item only if that item fails alone once more while executing without items succeeds; else it is thrown.
 *
 * With rehearsal, after a failure of several items (where they are few, the suspects and the others are probed at once), in
 * this order:
 * 1. The suspects are probed one by one, and the others attempted once more: once, then only while few failures are expected.
 * 2. `salvage`: whatever did not land is probed one by one.
 * 3. The sieve: probes blocks of items, all in one round, then what is left of the failed ones, and so on. The blocks are the
 *    smaller the denser failures have been so far, down to single items. In the end all good ones land as one.
 *
 * Without: by the first suspect where there is one, else by halves, one by one where failures are dense.
 *
 * The items must commute: any order of them has the same effect.
 */
export async function isolate<T, R>(
  items: readonly T[],
  port: IsolationPort<T, R>,
  failed?: FirstFailure,
): Promise<R[]> {
  return new Isolation(items, port).run(failed);
}

interface ProbedSet {
  at: readonly number[];
  /** A hint made it a set of its own. */
  named: boolean;
}

/** Works on indexes of items. */
class Isolation<T, R> {
  private readonly results: R[] = [];
  private tried = 0;
  private failed = 0;
  private rightHints = 0;
  private wrongHints = 0;
  private hintedAttempts = 0;
  private salvages = true;
  /** What an attempt without items gave. */
  private proof: { sound: boolean; error?: unknown } | undefined;

  constructor(
    private readonly items: readonly T[],
    private readonly port: IsolationPort<T, R>,
  ) {}

  async run(failed?: FirstFailure): Promise<R[]> {
    const all = [...this.items.keys()];
    await (failed === undefined ? this.attempt(all) : this.afterFailure(all, failed.error));
    return this.results;
  }

  private async attempt(at: readonly number[]): Promise<void> {
    if (at.length === 0) return;
    if (at.length > 1 && this.port.rehearsal === undefined && this.isDense()) return this.oneByOne(at);
    let failure: FirstFailure | undefined;
    try {
      this.keep(at, await this.port.attempt(this.pick(at)));
      this.tried += at.length;
    } catch (error) {
      failure = { error };
    }
    if (failure !== undefined) await this.afterFailure(at, failure.error);
  }

  private async afterFailure(at: readonly number[], error: unknown): Promise<void> {
    const blame = this.blame(at, error);
    if (at.length === 1) return this.failAlone(at[0]!, blame, error);
    if (blame === 'all' && !(await this.isSound())) return this.failAll(at);
    const { rehearsal } = this.port;
    if (blame === 'many') return this.halve(at);
    return rehearsal === undefined ? this.split(at, error) : this.rehearse(rehearsal, at, error);
  }

  // Without rehearsal

  private async split(at: readonly number[], error: unknown): Promise<void> {
    const [suspect] = this.isDense() ? [] : await this.suspects(at, error);
    if (suspect === undefined) return this.halve(at);
    await this.attempt(at.slice(0, suspect));
    const failedBefore = this.failed;
    await this.attempt([at[suspect]!]);
    this.judgeHint(this.failed > failedBefore);
    await this.attempt(at.slice(suspect + 1));
  }

  private async halve(at: readonly number[]): Promise<void> {
    const middle = Math.ceil(at.length / 2);
    await this.attempt(at.slice(0, middle));
    await this.attempt(at.slice(middle));
  }

  private async oneByOne(at: readonly number[]): Promise<void> {
    for (const index of at) await this.attempt([index]);
  }

  private isDense(): boolean {
    return this.tried >= DENSE_SAMPLE && this.failed > this.tried * DENSE_SHARE;
  }

  // With rehearsal

  private async rehearse(rehearsal: Rehearsal<T, R>, at: readonly number[], error: unknown): Promise<void> {
    if (at.length <= FEW_ITEMS) return this.land(rehearsal, await this.sift(rehearsal, await this.narrow(at, error)));
    const named = this.isWorthAttempting(at) ? await this.suspects(at, error) : [];
    if (named.length > 0) return this.withoutSuspects(rehearsal, at, named);
    if (await this.salvage(rehearsal, at, error)) return;
    await this.sieve(rehearsal, at);
  }

  /** Whether it may go well without the suspects. */
  private isWorthAttempting(at: readonly number[]): boolean {
    if (this.hintedAttempts === 0) return true;
    return this.hintedAttempts < MAX_HINTED_ATTEMPTS && at.length * this.failed <= FEW_FAILURES * this.tried;
  }

  /** Answers false when nothing was done. */
  private async salvage(rehearsal: Rehearsal<T, R>, at: readonly number[], error: unknown): Promise<boolean> {
    if (!this.salvages || rehearsal.salvage === undefined) return false;
    let salvaged: readonly (R | undefined)[] | undefined;
    let failure: FirstFailure | undefined;
    try {
      salvaged = await rehearsal.salvage(this.pick(at), error);
    } catch (otherError) {
      failure = { error: otherError };
    }
    if (failure !== undefined) {
      this.salvages = false;
      await this.afterFailure(at, failure.error);
      return true;
    }
    if (salvaged === undefined) return false;
    const left: number[] = [];
    salvaged.forEach((result, index) => {
      if (result === undefined) left.push(at[index]!);
      else this.results[at[index]!] = result;
    });
    await this.sieve(rehearsal, left, 1);
    return true;
  }

  private async withoutSuspects(
    rehearsal: Rehearsal<T, R>,
    at: readonly number[],
    named: readonly number[],
  ): Promise<void> {
    this.hintedAttempts += 1;
    // As a rule the first of them is where the attempt ended.
    this.tried += named[0]!;
    const failedBefore = this.failed;
    const suspected = new Set(named);
    const cleared = await this.sift(
      rehearsal,
      named.map((index) => ({ at: [at[index]!], named: false })),
    );
    const rest = at.filter((_, index) => !suspected.has(index));
    const left = [...rest, ...cleared].sort(ascending);
    const wasRight = this.failed > failedBefore;
    this.judgeHint(wasRight);
    await (wasRight ? this.attempt(left) : this.sieve(rehearsal, left));
  }

  private async sieve(rehearsal: Rehearsal<T, R>, at: readonly number[], blockSize?: number): Promise<void> {
    const good: number[] = [];
    for (let next = 0, window = FIRST_WINDOW; next < at.length;) {
      const some = at.slice(next, next + window);
      good.push(...(await this.sift(rehearsal, inBlocks(some, blockSize ?? this.blockSize()))));
      next += some.length;
      window = Math.min(window * WINDOW_GROWTH, MAX_WINDOW);
    }
    await this.land(rehearsal, good);
  }

  private async land(rehearsal: Rehearsal<T, R>, good: readonly number[]): Promise<void> {
    if (good.length > 0) this.keep(good, await rehearsal.land(this.pick(good)));
  }

  /** Fails the bad ones and answers the others, in order. */
  private async sift(rehearsal: Rehearsal<T, R>, first: readonly ProbedSet[]): Promise<number[]> {
    const good: number[] = [];
    for (let sets = first; sets.length > 0;) {
      const errors = await rehearsal.probe(sets.map((set) => this.pick(set.at)));
      const left: ProbedSet[] = [];
      for (const [index, set] of sets.entries()) {
        if (set.named) this.judgeHint(errors[index] !== undefined);
        if (errors[index] === undefined) {
          good.push(...set.at);
          this.tried += set.at.length;
        } else {
          left.push(...(await this.narrow(set.at, errors[index])));
        }
      }
      sets = left;
    }
    return good.sort(ascending);
  }

  /** Smaller sets to be probed in place of one that failed. */
  private async narrow(at: readonly number[], error: unknown): Promise<ProbedSet[]> {
    const blame = this.blame(at, error);
    if (at.length === 1) {
      await this.failAlone(at[0]!, blame, error);
      return [];
    }
    if (blame === 'all' && !(await this.isSound())) {
      this.failAll(at);
      return [];
    }
    const suspected = new Set(await this.suspects(at, error));
    if (suspected.size === 0 || suspected.size === at.length) return inBlocks(at, smallerBlock(at.length));
    const named = [...suspected].map((index) => ({ at: [at[index]!], named: true }));
    return [...named, { at: at.filter((_, index) => !suspected.has(index)), named: false }];
  }

  /**
   * Of one bad item in `gap`, blocks of `gap ** (2/3)` need the fewest probes when a failed block is cut into its square root
   * of parts: the derivative of `1/b + 2·sqrt(b)/gap` is zero there.
   */
  private blockSize(): number {
    const gap = (this.tried + DENSE_SAMPLE) / (this.failed + 1);
    const size = Math.floor(gap ** (2 / 3));
    return size < SMALLEST_BLOCK ? 1 : size;
  }

  // Verdicts

  private blame(at: readonly number[], error: unknown): Blame {
    const blame = this.port.blame(error, this.pick(at));
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
    if (this.blame([index], again.error) === 'unproven') {
      const without = await this.tryOut([]);
      if (without !== undefined) {
        this.blame([], without.error);
        throw again.error;
      }
    }
    this.fail(index, again.error);
  }

  /** What executing these items gives, without a trace where there is rehearsal. */
  private async tryOut(at: readonly number[]): Promise<FirstFailure | undefined> {
    const { rehearsal } = this.port;
    try {
      if (rehearsal === undefined || at.length === 0) await this.port.attempt(this.pick(at));
      else {
        const [error] = await rehearsal.probe([this.pick(at)]);
        if (error !== undefined) return { error };
      }
      return undefined;
    } catch (error) {
      return { error };
    }
  }

  /** False when nothing can be executed even without items; then no item need be tried. */
  private async isSound(): Promise<boolean> {
    this.proof ??= await this.prove();
    return this.proof.sound;
  }

  private async prove(): Promise<{ sound: boolean; error?: unknown }> {
    try {
      await this.port.attempt([]);
      return { sound: true };
    } catch (error) {
      // Perhaps no item is to blame. Then the error says nothing about the items.
      if (this.blame([], error) === 'unproven') throw error;
      return { sound: false, error };
    }
  }

  private async suspects(at: readonly number[], error: unknown): Promise<readonly number[]> {
    // A hint that named the wrong item would cost an attempt for each item if it were followed again and again.
    if (this.port.suspects === undefined || this.wrongHints > this.rightHints) return [];
    return this.port.suspects(error, this.pick(at));
  }

  private judgeHint(right: boolean): void {
    if (right) this.rightHints += 1;
    else this.wrongHints += 1;
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

const ascending = (a: number, b: number): number => a - b;

/** A few parts, each of a few items. */
const smallerBlock = (length: number): number => (length <= 4 ? 1 : Math.ceil(Math.sqrt(length)));

function inBlocks(at: readonly number[], size: number): ProbedSet[] {
  const blocks: ProbedSet[] = [];
  for (let next = 0; next < at.length; next += size) blocks.push({ at: at.slice(next, next + size), named: false });
  return blocks;
}
