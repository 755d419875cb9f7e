import { Delegates, type Classifier } from '../chunk/classifier.js';
import { DelegateStreams } from '../chunk/delegate-streams.js';
import type { ItemContext, ItemProcessor, ItemStream } from '../chunk/item.js';

/**
 * Chooses a processor for each item.
 *
 * @throws BatchError NO_SUCH_DELEGATE, from `process`, where an item is of no known class
 */
export function classifierProcessor<I, O, Tx = unknown>(
  classifier: Classifier<I, ItemProcessor<I, O, Tx>>,
): ItemProcessor<I, O, Tx> & ItemStream {
  return new ClassifierProcessor(new Delegates(classifier));
}

class ClassifierProcessor<I, O, Tx> extends DelegateStreams implements ItemProcessor<I, O, Tx> {
  constructor(private readonly processors: Delegates<I, ItemProcessor<I, O, Tx>>) {
    super(processors.named());
  }

  async process(item: I, context: ItemContext<Tx>): Promise<O | null> {
    const processor = await this.processors.choose(item);
    return processor.process(item, context);
  }
}
