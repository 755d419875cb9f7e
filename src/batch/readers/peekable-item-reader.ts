import { asStream } from '../chunk/delegate-streams.js';
import type { ItemContext, ItemReader, ItemStream } from '../chunk/item.js';
import { ExecutionContext } from '../model/execution-context.js';
import type { StepScope } from '../step/step-scope.js';

/**
 * Shows the next item before it is read. An item that was shown but not read is read again after a restart. An error of the reader is
 * thrown by `peek`, and not again by `read`.
 */
export class PeekableItemReader<T, Tx = unknown> implements ItemReader<T, Tx>, ItemStream {
  readonly name?: string;
  /** With the position before it. */
  private shown: { item: T | null; before: ExecutionContext } | undefined;

  constructor(private readonly reader: ItemReader<T, Tx>) {
    this.name = asStream(reader).name;
  }

  async open(context: ExecutionContext, scope: StepScope): Promise<void> {
    this.shown = undefined;
    await asStream(this.reader).open?.(context, scope);
  }

  async peek(context: ItemContext<Tx>): Promise<T | null> {
    if (this.shown === undefined) {
      const before = new ExecutionContext();
      await asStream(this.reader).update?.(before);
      this.shown = { item: await this.reader.read(context), before };
    }
    return this.shown.item;
  }

  async read(context: ItemContext<Tx>): Promise<T | null> {
    const { shown } = this;
    this.shown = undefined;
    return shown === undefined ? this.reader.read(context) : shown.item;
  }

  async update(context: ExecutionContext): Promise<void> {
    if (this.shown === undefined) return asStream(this.reader).update?.(context);
    for (const [key, value] of Object.entries(this.shown.before.toJSON())) context.put(key, value);
  }

  progress(): number | undefined {
    return asStream(this.reader).progress?.();
  }

  async close(): Promise<void> {
    await asStream(this.reader).close?.();
  }
}
