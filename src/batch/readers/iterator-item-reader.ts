import type { Awaitable } from '../awaitable.js';
import type { ItemReader, ItemStream } from '../chunk/item.js';
import { InvalidJobDefinitionError } from '../model/batch-error.js';
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

  constructor(
    private readonly factory: (scope: StepScope) => Awaitable<ItemSource<T>>,
    /** Names its part of the context. Default: `reader`. */
    readonly name?: string,
  ) {}

  async open(context: ExecutionContext, scope: StepScope): Promise<void> {
    const source = await this.factory(scope);
    this.iterator = Symbol.asyncIterator in source ? source[Symbol.asyncIterator]() : source[Symbol.iterator]();
    const committed = context.get<number>('count') ?? 0;
    for (this.count = 0; this.count < committed;) if ((await this.read()) === null) return;
  }

  async read(): Promise<T | null> {
    if (this.iterator === undefined) throw new InvalidJobDefinitionError('The reader of an iterator is not open');
    const { done, value } = await this.iterator.next();
    if (done === true) return null;
    this.count += 1;
    return value;
  }

  update(context: ExecutionContext): void {
    context.put('count', this.count);
  }

  async close(): Promise<void> {
    await this.iterator?.return?.();
    this.iterator = undefined;
  }
}
