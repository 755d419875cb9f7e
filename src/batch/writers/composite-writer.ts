import { byIndex, DelegateStreams } from '../chunk/delegate-streams.js';
import type { ItemContext, ItemStream, ItemWriter } from '../chunk/item.js';
import { InvalidJobDefinitionError } from '../model/batch-error.js';

/**
 * Gives the same items to each writer, in order. Writers that are streams are opened and closed. An item that one of them refuses is
 * written by none: they throw for it, and the engine writes the chunk in parts.
 *
 * @throws InvalidJobDefinitionError for a writer that reports outcomes: the others would not know of the items that it refuses
 */
export function compositeWriter<T, Tx = unknown>(
  ...writers: ItemWriter<T, unknown, Tx>[]
): ItemWriter<T, void, Tx> & ItemStream {
  if (writers.some(({ reportsOutcomes }) => reportsOutcomes === true)) {
    throw new InvalidJobDefinitionError('A composite writer takes writers only that throw for a bad item');
  }
  return new CompositeWriter(writers);
}

class CompositeWriter<T, Tx> extends DelegateStreams implements ItemWriter<T, void, Tx> {
  constructor(private readonly writers: readonly ItemWriter<T, unknown, Tx>[]) {
    super(byIndex(writers));
  }

  async write(items: readonly T[], context: ItemContext<Tx>): Promise<void> {
    for (const writer of this.writers) await writer.write(items, context);
  }
}
