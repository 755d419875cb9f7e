import type { ItemReader, ItemStream } from '../chunk/item.js';
import type { ExecutionContext } from '../model/execution-context.js';

/** Reads a list. After a restart the list must be the same. */
export class ListItemReader<T extends NonNullable<unknown>> implements ItemReader<T>, ItemStream {
  private next = 0;

  constructor(
    private readonly items: readonly T[],
    /** Names its part of the context. Default: `reader`. */
    readonly name?: string,
  ) {}

  open(context: ExecutionContext): void {
    this.next = context.get<number>('count') ?? 0;
  }

  read(): T | null {
    return this.next < this.items.length ? this.items[this.next++]! : null;
  }

  update(context: ExecutionContext): void {
    context.put('count', this.next);
  }

  progress(): number {
    return this.items.length === 0 ? 1 : this.next / this.items.length;
  }
}
