import { describe, expect, it } from 'vitest';
import { ChunkStep, type ChunkStepOptions, type StepContribution } from '../../src/batch/chunk-step.js';
import type { ItemReader } from '../../src/batch/item.js';
import { limitedRetry } from '../../src/batch/retry-policy.js';
import { alwaysSkip, limitedSkip, SkipLimitExceededError } from '../../src/batch/skip-policy.js';
import type { TransactionManager } from '../../src/batch/transaction-manager.js';

/** A table in memory with transactions and savepoints: rows are seen by others when they are committed. */
class MemoryTable implements TransactionManager<string[]> {
  committed: string[] = [];

  async transaction<T>(work: (tx: string[]) => Promise<T>): Promise<T> {
    const rows = [...this.committed];
    const result = await work(rows);
    this.committed = rows;
    return result;
  }

  async savepoint<T>(tx: string[], work: () => Promise<T>): Promise<T> {
    const length = tx.length;
    try {
      return await work();
    } catch (error) {
      tx.length = length;
      throw error;
    }
  }
}

class BadItemError extends Error {}
class TransientError extends Error {}

const itemsOf = (count: number): string[] => Array.from({ length: count }, (_, index) => String(index + 1));

function listReader(items: readonly string[], bad: readonly string[] = []): ItemReader<string, string[]> {
  let next = 0;
  return {
    read() {
      const item = items[next++];
      if (item !== undefined && bad.includes(item)) throw new BadItemError(`read ${item}`);
      return item ?? null;
    },
  };
}

type Options = Partial<ChunkStepOptions<string, string, void, string[]>> & { items: readonly string[] };

function stepOn(table: MemoryTable, { items, ...options }: Options): ChunkStep<string, string, void, string[]> {
  return new ChunkStep({
    name: 'step',
    chunkSize: 2,
    reader: listReader(items),
    processor: { process: (item) => item },
    writer: {
      write: async (chunk, { tx }) => {
        tx.push(...chunk);
      },
    },
    transactionManager: table,
    ...options,
  });
}

/** Writes the items before a bad one, then throws. */
const writerRefusing = (bad: readonly string[], calls: string[] = []) => ({
  write: async (chunk: readonly string[], { tx }: { tx: string[] }): Promise<void> => {
    calls.push(chunk.join(''));
    for (const item of chunk) {
      tx.push(item);
      if (bad.includes(item)) throw new BadItemError(`write ${item}`);
    }
  },
});

/** R, W, F, C, B, rs, ps, ws as the engine's notes write them; zeros are left out. */
function counts(contribution: StepContribution): string {
  const letters: Record<keyof StepContribution, string> = {
    readCount: 'R',
    writeCount: 'W',
    filterCount: 'F',
    commitCount: 'C',
    rollbackCount: 'B',
    readSkipCount: 'rs',
    processSkipCount: 'ps',
    writeSkipCount: 'ws',
  };
  return Object.entries(contribution)
    .filter(([, count]) => count > 0)
    .map(([name, count]) => `${letters[name as keyof StepContribution]}${count}`)
    .join(' ');
}

describe('a chunk-oriented step', () => {
  it.each([
    { items: 5, expected: 'R5 W5 C3' },
    { items: 4, expected: 'R4 W4 C2' },
    { items: 0, expected: '' },
  ])('commits every two of $items items, and an empty last chunk counts for nothing', async ({ items, expected }) => {
    const table = new MemoryTable();
    const step = stepOn(table, { items: itemsOf(items) });
    await step.execute();
    expect(counts(step.contribution)).toBe(expected);
    expect(table.committed).toEqual(itemsOf(items));
  });

  it('fails with the first error where nothing may be skipped, and keeps what was committed before', async () => {
    const table = new MemoryTable();
    const step = stepOn(table, {
      items: itemsOf(5),
      processor: {
        process: (item) => {
          if (item === '3') throw new BadItemError('process 3');
          return item;
        },
      },
    });
    await expect(step.execute()).rejects.toThrow('process 3');
    expect(counts(step.contribution)).toBe('R2 W2 C1 B1');
    expect(table.committed).toEqual(['1', '2']);
  });

  it('waits for promises of any library', async () => {
    const table = new MemoryTable();
    const items = listReader(itemsOf(3));
    const later = <T>(value: T): Promise<T> => ({ then: (done: (value: T) => void) => done(value) }) as Promise<T>;
    const step = stepOn(table, {
      items: [],
      reader: { read: (context) => later(items.read(context) as string | null) },
      processor: { process: (item) => later(`${item}!`) },
    });
    await step.execute();
    expect(table.committed).toEqual(['1!', '2!', '3!']);
  });

  it('leaves out what the processor filters', async () => {
    const table = new MemoryTable();
    const step = stepOn(table, { items: itemsOf(5), processor: { process: (item) => (item === '4' ? null : item) } });
    await step.execute();
    expect(counts(step.contribution)).toBe('R5 W4 F1 C3');
  });

  it('skips items that cannot be read or processed, in place', async () => {
    const table = new MemoryTable();
    const step = stepOn(table, {
      items: [],
      chunkSize: 5,
      reader: listReader(itemsOf(10), ['3', '7']),
      processor: {
        process: (item) => {
          if (item === '5') throw new BadItemError('process 5');
          return item;
        },
      },
      skipPolicy: alwaysSkip,
    });
    await step.execute();
    expect(counts(step.contribution)).toBe('R8 W7 C2 rs2 ps1');
    expect(table.committed).toEqual(['1', '2', '4', '6', '8', '9', '10']);
  });

  it('calls a plain writer once when its error may not be skipped', async () => {
    const calls: string[] = [];
    const table = new MemoryTable();
    const step = stepOn(table, { items: itemsOf(3), chunkSize: 3, writer: writerRefusing(['2'], calls) });
    await expect(step.execute()).rejects.toThrow('write 2');
    expect(counts(step.contribution)).toBe('B1');
    expect(calls).toEqual(['123']);
    expect(table.committed).toEqual([]);
  });

  it('isolates what a plain writer refuses and writes every other item once', async () => {
    const table = new MemoryTable();
    const step = stepOn(table, {
      items: itemsOf(5),
      chunkSize: 5,
      writer: writerRefusing(['3']),
      skipPolicy: alwaysSkip,
    });
    await step.execute();
    expect(counts(step.contribution)).toBe('R5 W4 C1 ws1');
    expect(table.committed).toEqual(['1', '2', '4', '5']);
  });

  it('stops at the skip limit, counting read, process and write together', async () => {
    const table = new MemoryTable();
    const step = stepOn(table, {
      items: [],
      chunkSize: 6,
      reader: listReader(itemsOf(6), ['2']),
      writer: writerRefusing(['4', '5']),
      skipPolicy: limitedSkip(2, (error) => error instanceof BadItemError),
    });
    await expect(step.execute()).rejects.toThrow(SkipLimitExceededError);
    expect(table.committed).toEqual([]);
  });

  it('takes the outcomes of a writer that tells its items apart, without a scan', async () => {
    const calls: string[] = [];
    const step = new ChunkStep<string, string, number, string[]>({
      name: 'step',
      chunkSize: 3,
      reader: listReader(itemsOf(3)),
      processor: { process: (item) => item },
      writer: {
        reportsOutcomes: true,
        write: async (chunk) => {
          calls.push(chunk.join(''));
          return chunk.map((item) =>
            item === '2' ? { written: false, error: new BadItemError('2') } : { written: true, result: Number(item) },
          );
        },
      },
      transactionManager: new MemoryTable(),
      skipPolicy: alwaysSkip,
    });
    const chunk = await step.executeChunk();
    expect(calls).toEqual(['123']);
    expect(chunk.written.map(({ result }) => result)).toEqual([1, 3]);
    expect(counts(step.contribution)).toBe('R3 W2 C1 ws1');
  });

  it('refuses a writer that answers fewer outcomes than it was given items', async () => {
    const step = stepOn(new MemoryTable(), { items: itemsOf(2), writer: { write: async () => [] } });
    await expect(step.execute()).rejects.toThrow('was given 2 items and answered 0 outcomes');
  });

  it('tries a chunk again in a new transaction, with the items it has read', async () => {
    const table = new MemoryTable();
    let failures = 2;
    const step = stepOn(table, {
      items: itemsOf(3),
      writer: {
        write: async (chunk, { tx }) => {
          tx.push(...chunk);
          if (failures-- > 0) throw new TransientError('connection lost');
        },
      },
      retryPolicy: limitedRetry(2, (error) => error instanceof TransientError, {
        initialMs: 1,
        multiplier: 1,
        maxMs: 1,
        jitter: 0,
      }),
    });
    await step.execute();
    expect(counts(step.contribution)).toBe('R3 W3 C2 B2');
    expect(table.committed).toEqual(['1', '2', '3']);
  });

  it('reads a transactional queue again for each attempt', async () => {
    let reads = 0;
    let failures = 1;
    const step = stepOn(new MemoryTable(), {
      items: [],
      reader: { read: () => (reads++ % 2 === 0 ? 'item' : null) },
      readerIsTransactionalQueue: true,
      writer: {
        write: async () => {
          if (failures-- > 0) throw new TransientError('deadlock');
        },
      },
      retryPolicy: limitedRetry(1, () => true, { initialMs: 0, multiplier: 1, maxMs: 0, jitter: 0 }),
    });
    await step.executeChunk();
    expect(reads).toBe(4);
    expect(counts(step.contribution)).toBe('R1 W1 C1 B1');
  });

  it('records a chunk in its own transaction: when that fails, nothing is written', async () => {
    const table = new MemoryTable();
    const step = stepOn(table, {
      items: itemsOf(2),
      saveChunk: async () => {
        throw new Error('no space');
      },
    });
    await expect(step.execute()).rejects.toThrow('no space');
    expect(table.committed).toEqual([]);
    expect(counts(step.contribution)).toBe('B1');
  });

  it('stops at a chunk boundary when asked to', async () => {
    const table = new MemoryTable();
    const abort = new AbortController();
    const step = stepOn(table, { items: itemsOf(10), saveChunk: async () => abort.abort() });
    await step.execute(abort.signal);
    expect(table.committed).toEqual(['1', '2']);
  });
});
