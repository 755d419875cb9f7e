import { asStream } from '../chunk/delegate-streams.js';
import type { ItemReader, ItemWriter, WriteOutcome } from '../chunk/item.js';
import type { StepListener } from '../step/step-listener.js';
import type { StepScope } from '../step/step-scope.js';
import { fakeItemContext, fakeStepScope } from './fake-executions.js';

export interface UsePartOptions<Tx> {
  /** The transaction that the part gets. Default: undefined. */
  tx?: Tx;
  /** Parameters and contexts. A second call with the same scope goes on where the first has ended, as a restart does. */
  scope?: StepScope;
}

/**
 * Reads as a step does: opens the reader, reads, saves its position and closes it.
 *
 * @param options.limit the maximum number of items. Default: all
 * @throws what the reader throws
 */
export async function readAll<T, Tx = undefined>(
  reader: ItemReader<T, Tx>,
  options: UsePartOptions<Tx> & { limit?: number } = {},
): Promise<T[]> {
  const { tx, scope = fakeStepScope(), limit = Infinity } = options;
  const items: T[] = [];
  await during(reader, 'reader', scope, async (save) => {
    while (items.length < limit) {
      const item = await reader.read(fakeItemContext(tx as Tx, { scope }));
      if (item === null) break;
      items.push(item);
    }
    await save();
  });
  return items;
}

/**
 * Writes as a step does: opens the writer, writes chunk after chunk, saves its state after each and closes it.
 *
 * @param options.chunkSize default: all items in one chunk
 * @returns one outcome for each item
 * @throws what the writer throws
 */
export async function writeAll<T, R = void, Tx = undefined>(
  writer: ItemWriter<T, R, Tx>,
  items: readonly T[],
  options: UsePartOptions<Tx> & { chunkSize?: number } = {},
): Promise<WriteOutcome<R>[]> {
  const { tx, scope = fakeStepScope(), chunkSize = items.length } = options;
  const outcomes: WriteOutcome<R>[] = [];
  await during(writer, 'writer', scope, async (save) => {
    for (let start = 0; start < items.length; start += chunkSize) {
      const chunk = items.slice(start, start + chunkSize);
      const commitCount = scope.step.commitCount;
      const reported = await writer.write(chunk, fakeItemContext(tx as Tx, { scope, commitCount }));
      outcomes.push(...(reported ?? chunk.map(() => ({ written: true as const, result: undefined as R }))));
      await save();
      scope.step.commitCount += 1;
    }
  });
  return outcomes;
}

/** Calls a part of a step in the order of the engine. A part that is a step listener is told that the step is complete. */
async function during(
  part: object,
  role: string,
  scope: StepScope,
  work: (save: () => Promise<void>) => Promise<void>,
): Promise<void> {
  const [stream, listener] = [asStream(part), part as StepListener];
  const context = scope.step.context.of(stream.name ?? role);
  await listener.beforeStep?.(scope);
  try {
    await stream.open?.(context, scope);
    await work(async () => stream.update?.(context));
  } finally {
    await stream.close?.();
  }
  scope.step.status = 'COMPLETED';
  await listener.afterStep?.(scope.step, scope);
}
