import { byIndex, DelegateStreams } from '../chunk/delegate-streams.js';
import type { ItemContext, ItemProcessor, ItemStream } from '../chunk/item.js';

/** One processor after the other. What one filters out, the next does not see. Processors that are streams are opened and closed. */
export function compositeProcessor<A, B, C, Tx = unknown>(
  first: ItemProcessor<A, B, Tx>,
  second: ItemProcessor<B, C, Tx>,
): ItemProcessor<A, C, Tx> & ItemStream;
export function compositeProcessor<A, B, C, D, Tx = unknown>(
  first: ItemProcessor<A, B, Tx>,
  second: ItemProcessor<B, C, Tx>,
  third: ItemProcessor<C, D, Tx>,
): ItemProcessor<A, D, Tx> & ItemStream;
export function compositeProcessor<A, B, C, D, E, Tx = unknown>(
  first: ItemProcessor<A, B, Tx>,
  second: ItemProcessor<B, C, Tx>,
  third: ItemProcessor<C, D, Tx>,
  fourth: ItemProcessor<D, E, Tx>,
): ItemProcessor<A, E, Tx> & ItemStream;
/** Of processors whose number is not known: all take and give the same. */
export function compositeProcessor<T, Tx = unknown>(
  ...processors: ItemProcessor<T, T, Tx>[]
): ItemProcessor<T, T, Tx> & ItemStream;
export function compositeProcessor(
  ...processors: ItemProcessor<unknown, unknown>[]
): ItemProcessor<unknown, unknown> & ItemStream {
  return new CompositeProcessor(processors);
}

class CompositeProcessor extends DelegateStreams implements ItemProcessor<unknown, unknown> {
  constructor(private readonly processors: readonly ItemProcessor<unknown, unknown>[]) {
    super(byIndex(processors));
  }

  async process(item: unknown, context: ItemContext): Promise<unknown> {
    let current: unknown = item;
    for (const processor of this.processors) {
      current = await processor.process(current, context);
      if (current === null) return null;
    }
    return current;
  }
}
