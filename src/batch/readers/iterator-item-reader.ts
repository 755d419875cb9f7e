import type { Awaitable } from '../awaitable.js';
import type { ItemReader, ItemStream } from '../chunk/item.js';
import { BatchError, InvalidJobDefinitionError } from '../model/batch-error.js';
import type { ExecutionContext } from '../model/execution-context.js';
import type { StepScope } from '../step/step-scope.js';

export type ItemSource<T> = Iterable<T> | AsyncIterable<T>;

/**
 * Reads what an iterable gives, such as a generator. After a restart it reads and drops as many items as were committed, so the
 * factory must give the same items again.
 */
export class IteratorItemReader<T extends NonNullable<unknown>> implements ItemReader<T>, ItemStream {
  private iterator: Iterator<T, unknown> | AsyncIterator<T, unknown> | undefined;
  private count = 0;
  /** What `next` threw last. A generator has ended then, and says so as if there were no more items. */
  private failure: { error: unknown } | undefined;

  constructor(
    private readonly factory: (scope: StepScope) => Awaitable<ItemSource<T>>,
    /** Names its part of the context. Default: `reader`. */
    readonly name?: string,
  ) {}

  async open(context: ExecutionContext, scope: StepScope): Promise<void> {
    const source = await this.factory(scope);
    this.iterator = Symbol.asyncIterator in source ? source[Symbol.asyncIterator]() : source[Symbol.iterator]();
    this.failure = undefined;
    const committed = context.get<number>('count') ?? 0;
    for (this.count = 0; this.count < committed;) if ((await this.read()) === null) return;
  }

  async read(): Promise<T | null> {
    if (this.iterator === undefined) throw new InvalidJobDefinitionError('The reader of an iterator is not open');
    const { done, value } = await this.next(this.iterator);
    if (done !== true) {
      this.count += 1;
      this.failure = undefined;
      return value;
    }
    if (this.failure === undefined) return null;
    throw new BatchError('READER_BROKEN', 'The iterator ended when it failed, so what follows cannot be read', {
      cause: this.failure.error,
    });
  }

  private async next(iterator: NonNullable<typeof this.iterator>): Promise<IteratorResult<T, unknown>> {
    try {
      return await iterator.next();
    } catch (error) {
      this.failure = { error };
      throw error;
    }
  }

  update(context: ExecutionContext): void {
    context.put('count', this.count);
  }

  async close(): Promise<void> {
    await this.iterator?.return?.();
    this.iterator = undefined;
  }
}
