import { Delegates, type Classifier } from '../chunk/classifier.js';
import { DelegateStreams } from '../chunk/delegate-streams.js';
import type { ItemContext, ItemStream, ItemWriter, WriteOutcome } from '../chunk/item.js';
import { InvalidJobDefinitionError } from '../model/batch-error.js';

/**
 * Chooses a writer for each item. Each writer gets its items of a chunk at once, in their order.
 *
 * @throws InvalidJobDefinitionError for a writer that reports outcomes; from `write` BatchError NO_SUCH_DELEGATE
 */
export function classifierWriter<T, Tx = unknown>(
  classifier: Classifier<T, ItemWriter<T, unknown, Tx>>,
): ItemWriter<T, unknown, Tx> & ItemStream {
  const writers = [...Object.values(classifier.delegates), classifier.otherwise];
  if (writers.some((writer) => writer?.reportsOutcomes === true)) {
    throw new InvalidJobDefinitionError('A classifier writer takes writers only that throw for a bad item');
  }
  return new ClassifierWriter(new Delegates(classifier));
}

class ClassifierWriter<T, Tx> extends DelegateStreams implements ItemWriter<T, unknown, Tx> {
  constructor(private readonly writers: Delegates<T, ItemWriter<T, unknown, Tx>>) {
    super(writers.named());
  }

  async write(items: readonly T[], context: ItemContext<Tx>): Promise<readonly WriteOutcome<unknown>[]> {
    const byWriter = new Map<ItemWriter<T, unknown, Tx>, number[]>();
    for (const [index, item] of items.entries()) {
      const writer = await this.writers.choose(item);
      const chosen = byWriter.get(writer);
      if (chosen === undefined) byWriter.set(writer, [index]);
      else chosen.push(index);
    }
    const outcomes = items.map((): WriteOutcome<unknown> => ({ written: true, result: undefined }));
    const reports = context.reportingWriter === this;
    for (const [writer, chosen] of byWriter) {
      const own = { ...context, reportingWriter: reports ? writer : undefined };
      const answered = await writer.write(
        chosen.map((index) => items[index]!),
        own,
      );
      if (answered !== undefined && answered.length !== chosen.length) {
        throw new Error(`A writer was given ${chosen.length} items and answered ${answered.length} outcomes`);
      }
      answered?.forEach((outcome, place) => (outcomes[chosen[place]!] = outcome));
    }
    return outcomes;
  }
}
