import { describe, expect, it } from 'vitest';
import type { ChunkListener } from '../../src/batch/chunk/chunk-listener.js';
import { ChunkStep, type ChunkStepDefinition, type CommittedChunk } from '../../src/batch/chunk/chunk-step.js';
import {
  ItemChunkHandler,
  type ItemChunkHandlerOptions,
  type ProcessedItems,
  type ReadItems,
  type WrittenItems,
} from '../../src/batch/chunk/item-chunk-handler.js';
import type { ItemReader } from '../../src/batch/chunk/item.js';
import { limitedRetry } from '../../src/batch/chunk/retry-policy.js';
import { alwaysSkip, limitedSkip, SkipLimitExceededError } from '../../src/batch/chunk/skip-policy.js';
import { JobExecution } from '../../src/batch/model/job-execution.js';
import { JobParameters } from '../../src/batch/model/job-parameters.js';
import { StepExecution } from '../../src/batch/model/step-execution.js';
import { StepScope } from '../../src/batch/step/step-scope.js';
import { StepCounters } from '../../src/batch/model/step-counters.js';
import { MAX_RELEASED_SAVEPOINTS, type TransactionManager } from '../../src/batch/chunk/transaction-manager.js';

/** A table in memory with transactions and savepoints: rows are seen by others when they are committed. */
class MemoryTable implements TransactionManager<string[]> {
  committed: string[] = [];
  /** Of all transactions. */
  released = 0;

  async transaction<T>(work: (tx: string[]) => Promise<T>): Promise<T> {
    const rows = [...this.committed];
    const result = await work(rows);
    this.committed = rows;
    return result;
  }

  async savepoint<T>(tx: string[], work: () => Promise<T>): Promise<T> {
    const length = tx.length;
    try {
      const result = await work();
      this.released += 1;
      return result;
    } catch (error) {
      tx.length = length;
      throw error;
    }
  }
}

const JOB = new JobExecution('1', { id: '1', jobName: 'job' }, new JobParameters());

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

type Rows = string[];
type Read = ReadItems<string>;
type Written<R> = WrittenItems<string, string, R>;
type Step<R = void> = ChunkStepDefinition<Read, ProcessedItems<string, string>, Written<R>, Rows>;
type Options<R = void> = Partial<Omit<ItemChunkHandlerOptions<string, string, R, Rows>, 'listeners' | 'retryPolicy'>> &
  Partial<Omit<Step<R>, 'handler'>> & { items?: readonly string[] };

/** A step of single items, by default two a chunk, as they are. */
function stepOn<R = void>(table: MemoryTable, { items = [], ...options }: Options<R>) {
  const { reader = listReader(items), processor = { process: (item) => item }, writer, skipPolicy, scan } = options;
  const { chunkSize = 2, retryPolicy, readerIsTransactionalQueue, listeners } = options;
  const handler = new ItemChunkHandler<string, string, R, Rows>({
    reader,
    processor,
    writer: writer ?? {
      write: async (chunk, { tx }) => {
        tx.push(...chunk);
      },
    },
    transactionManager: table,
    scope: new StepScope(JOB, new StepExecution('1', JOB.id, 'step')),
    ...(skipPolicy && { skipPolicy }),
    ...(scan && { scan }),
  });
  return new ChunkStep({
    name: 'step',
    chunkSize,
    handler,
    transactionManager: table,
    ...(retryPolicy && { retryPolicy }),
    ...(readerIsTransactionalQueue && { readerIsTransactionalQueue }),
    ...(listeners && { listeners }),
  });
}

/** Executes a step to its end, or to its failure. */
async function executed<R = void>(
  table: MemoryTable,
  options: Options<R>,
): Promise<{ counted: string; error: unknown }> {
  const execution = new StepCounters();
  const error = await stepOn(table, options)
    .execute(execution)
    .then(
      () => undefined,
      (thrown: unknown) => thrown,
    );
  return { counted: counts(execution), error };
}

const RETRY_ONCE = limitedRetry(1, () => true, { initialMs: 0, maxMs: 0, jitter: 0 });

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
function counts(execution: StepCounters): string {
  return Object.entries(LETTERS)
    .map(([name, letters]) => ({ letters, count: execution[name as keyof typeof LETTERS] }))
    .filter(({ count }) => count > 0)
    .map(({ letters, count }) => `${letters}${count}`)
    .join(' ');
}

const LETTERS = {
  readCount: 'R',
  writeCount: 'W',
  filterCount: 'F',
  commitCount: 'C',
  rollbackCount: 'B',
  readSkipCount: 'rs',
  processSkipCount: 'ps',
  writeSkipCount: 'ws',
} as const;

describe('a chunk-oriented step', () => {
  it.each([
    { items: 5, expected: 'R5 W5 C3' },
    { items: 4, expected: 'R4 W4 C2' },
    { items: 0, expected: '' },
  ])('commits every two of $items items, and an empty last chunk counts for nothing', async ({ items, expected }) => {
    const table = new MemoryTable();
    const { counted } = await executed(table, { items: itemsOf(items) });
    expect(counted).toBe(expected);
    expect(table.committed).toEqual(itemsOf(items));
  });

  it('fails with the first error where nothing may be skipped, and keeps what was committed before', async () => {
    const table = new MemoryTable();
    const processor = {
      process: (item: string) => {
        if (item === '3') throw new BadItemError('process 3');
        return item;
      },
    };
    const { counted, error } = await executed(table, { items: itemsOf(5), processor });
    expect(error).toMatchObject({ message: 'process 3' });
    expect(counted).toBe('R4 W2 C1 B1');
    expect(table.committed).toEqual(['1', '2']);
  });

  it('waits for promises of any library', async () => {
    const table = new MemoryTable();
    const items = listReader(itemsOf(3));
    const later = <T>(value: T): Promise<T> => ({ then: (done: (value: T) => void) => done(value) }) as Promise<T>;
    await executed(table, {
      reader: { read: (context) => later(items.read(context) as string | null) },
      processor: { process: (item) => later(`${item}!`) },
    });
    expect(table.committed).toEqual(['1!', '2!', '3!']);
  });

  it('leaves out what the processor filters', async () => {
    const processor = { process: (item: string) => (item === '4' ? null : item) };
    const { counted } = await executed(new MemoryTable(), { items: itemsOf(5), processor });
    expect(counted).toBe('R5 W4 F1 C3');
  });

  it('tries a chunk again in a new transaction, with the items it has read', async () => {
    const table = new MemoryTable();
    let failures = 2;
    const { counted } = await executed(table, {
      items: itemsOf(3),
      writer: {
        write: async (chunk, { tx }) => {
          tx.push(...chunk);
          if (failures-- > 0) throw new TransientError('connection lost');
        },
      },
      retryPolicy: limitedRetry(2, (error) => error instanceof TransientError, {
        initialMs: 1,
        maxMs: 1,
        jitter: 0,
      }),
    });
    expect(counted).toBe('R3 W3 C2 B2');
    expect(table.committed).toEqual(['1', '2', '3']);
  });

  it('reads a transactional queue again for each attempt', async () => {
    let reads = 0;
    let failures = 1;
    const step = stepOn(new MemoryTable(), {
      reader: { read: () => (reads++ % 2 === 0 ? 'item' : null) },
      readerIsTransactionalQueue: true,
      writer: {
        write: async () => {
          if (failures-- > 0) throw new TransientError('deadlock');
        },
      },
      retryPolicy: RETRY_ONCE,
    });
    const execution = new StepCounters();
    await step.executeChunk(execution);
    expect(reads).toBe(4);
    expect(counts(execution)).toBe('R1 W1 C1 B1');
  });

  it('tells each attempt what the one before it threw', async () => {
    const seen: unknown[] = [];
    const { counted } = await executed(new MemoryTable(), {
      items: itemsOf(3),
      writer: {
        write: async (_, { previousError }) => {
          seen.push((previousError as Error | undefined)?.message);
          if (seen.length === 1) throw new TransientError('deadlock');
        },
      },
      retryPolicy: RETRY_ONCE,
    });
    expect(counted).toBe('R3 W3 C2 B1');
    expect(seen).toEqual([undefined, 'deadlock', undefined]);
  });

  it('begins a new execution at zero, skip limit included', async () => {
    const table = new MemoryTable();
    const input = [...itemsOf(4)];
    const step = stepOn(table, {
      reader: { read: () => input.shift() ?? null },
      writer: writerRefusing(['1', '3']),
      skipPolicy: limitedSkip(1, (error) => error instanceof BadItemError),
    });
    const [first, second] = [new StepCounters(), new StepCounters()];
    await step.executeChunk(first);
    await step.executeChunk(second);
    expect([counts(first), counts(second)]).toEqual(['R2 W1 C1 ws1', 'R2 W1 C1 ws1']);
    expect(table.committed).toEqual(['2', '4']);
  });

  it('stops at a chunk boundary when asked to', async () => {
    const table = new MemoryTable();
    const abort = new AbortController();
    const listeners = [{ afterChunk: () => abort.abort() }];
    await stepOn(table, { items: itemsOf(10), listeners }).execute(new StepCounters(), abort.signal);
    expect(table.committed).toEqual(['1', '2']);
  });
});

describe('listeners of a chunk-oriented step', () => {
  const failingWriter = (failures: number) => ({
    write: async () => {
      if (failures-- > 0) throw new TransientError('deadlock');
    },
  });

  it('are told of commit, rollback and retry, the last one first', async () => {
    const told: string[] = [];
    const listener = (name: string): ChunkListener<Read, Written<void>> => ({
      afterChunk: (read, { contribution }) =>
        void told.push(`${name} after ${read.items.join('')} ${contribution.writeCount}`),
      onChunkError: (error, read) =>
        void told.push(`${name} error ${(error as Error).message} ${read?.items.join('')}`),
      onChunkRetry: (error, retries) => void told.push(`${name} retry ${(error as Error).message} ${retries}`),
    });
    await executed(new MemoryTable(), {
      items: itemsOf(1),
      writer: failingWriter(1),
      retryPolicy: RETRY_ONCE,
      listeners: [listener('a'), listener('b')],
    });
    expect(told).toEqual([
      ...['b error deadlock 1', 'a error deadlock 1', 'b retry deadlock 1', 'a retry deadlock 1'],
      ...['b after 1 1', 'a after 1 1'],
    ]);
  });

  it('are told of the last rollback too, but of no retry after it', async () => {
    const told: string[] = [];
    const { error } = await executed(new MemoryTable(), {
      items: itemsOf(1),
      writer: failingWriter(2),
      retryPolicy: RETRY_ONCE,
      listeners: [
        {
          onChunkError: () => void told.push('error'),
          onChunkRetry: (_, retries) => void told.push(`retry ${retries}`),
        },
      ],
    });
    expect(error).toBeInstanceOf(TransientError);
    expect(told).toEqual(['error', 'retry 1', 'error']);
  });

  it.each([
    { method: 'onChunkError', times: 2 },
    { method: 'onChunkRetry', times: 1 },
  ] as const)(
    'never replace the error they are told of: $method throws, the others are told, and the chunk is tried again',
    async ({ method, times }) => {
      const table = new MemoryTable();
      const told: unknown[] = [];
      const broken = {
        [method]: () => {
          throw new Error('listener');
        },
      };
      const { counted, error } = await executed(table, {
        items: itemsOf(1),
        writer: failingWriter(2),
        retryPolicy: RETRY_ONCE,
        listeners: [{ [method]: (thrown: unknown) => void told.push(thrown) }, broken],
      });
      expect(error).toBeInstanceOf(TransientError);
      expect(counted).toBe('R1 B2');
      expect(told).toEqual(Array.from({ length: times }, () => new TransientError('deadlock')));
    },
  );

  it('end the execution when they fail after the commit, and the chunk stays committed and counted', async () => {
    const table = new MemoryTable();
    const { counted, error } = await executed(table, {
      items: itemsOf(3),
      listeners: [
        {
          afterChunk: () => {
            throw new Error('no space');
          },
        },
      ],
    });
    expect(error).toMatchObject({ message: 'no space' });
    expect(counted).toBe('R2 W2 C1');
    expect(table.committed).toEqual(['1', '2']);
  });
});

describe('a step of single items', () => {
  it('skips items that cannot be read or processed, in place', async () => {
    const table = new MemoryTable();
    const { counted } = await executed(table, {
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
    expect(counted).toBe('R8 W7 C2 rs2 ps1');
    expect(table.committed).toEqual(['1', '2', '4', '6', '8', '9', '10']);
  });

  it('calls a plain writer once when its error may not be skipped', async () => {
    const calls: string[] = [];
    const table = new MemoryTable();
    const options = { items: itemsOf(3), chunkSize: 3, writer: writerRefusing(['2'], calls) };
    const { counted, error } = await executed(table, options);
    expect(error).toMatchObject({ message: 'write 2' });
    expect(counted).toBe('R3 B1');
    expect(calls).toEqual(['123']);
    expect(table.committed).toEqual([]);
  });

  it.each(['halves', 'item'] as const)(
    'isolates by %s what a plain writer refuses and writes every other item once',
    async (scan) => {
      const table = new MemoryTable();
      const { counted } = await executed(table, {
        items: itemsOf(5),
        chunkSize: 5,
        writer: writerRefusing(['3']),
        skipPolicy: alwaysSkip,
        scan,
      });
      expect(counted).toBe('R5 W4 C1 ws1');
      expect(table.committed).toEqual(['1', '2', '4', '5']);
    },
  );

  it.each([
    { items: 3, bad: ['2', '3'], calls: ['123', '1', '2', '3'], expected: 'R3 W1 C1 ws2' },
    { items: 3, bad: [], calls: ['123'], expected: 'R3 W3 C1' },
    { items: 1, bad: ['1'], calls: ['1'], expected: 'R1 C1 ws1' },
  ])(
    'scans $items items one by one only when they fail together: $expected',
    async ({ items, bad, calls, expected }) => {
      const called: string[] = [];
      const { counted } = await executed(new MemoryTable(), {
        items: itemsOf(items),
        chunkSize: 3,
        writer: writerRefusing(bad, called),
        skipPolicy: alwaysSkip,
        scan: 'item',
      });
      expect(counted).toBe(expected);
      expect(called).toEqual(calls);
    },
  );

  it.each(['halves', 'item'] as const)('ends a scan by %s at an error that may not be skipped', async (scan) => {
    const table = new MemoryTable();
    const { counted, error } = await executed(table, {
      items: itemsOf(4),
      chunkSize: 4,
      writer: {
        write: async (chunk) => {
          throw chunk.length > 2 ? new BadItemError('some are bad') : new TransientError('connection lost');
        },
      },
      skipPolicy: limitedSkip(9, (thrown) => thrown instanceof BadItemError),
      scan,
    });
    expect(error).toBeInstanceOf(TransientError);
    expect(counted).toBe('R4 B1');
    expect(table.committed).toEqual([]);
  });

  const MANY = 400;
  const everyThird = itemsOf(MANY).filter((item) => Number(item) % 3 === 0);

  it.each(['halves', 'item'] as const)(
    'releases no more savepoints than PostgreSQL keeps in memory, by %s, and writes every good item once',
    async (scan) => {
      const table = new MemoryTable();
      const { counted } = await executed(table, {
        items: itemsOf(MANY),
        chunkSize: MANY + 1,
        writer: writerRefusing(everyThird),
        skipPolicy: alwaysSkip,
        scan,
      });
      expect(counted).toBe(`R${MANY} W${MANY - everyThird.length} C1 ws${everyThird.length}`);
      expect(table.committed.length).toBe(new Set(table.committed).size);
      expect([...table.committed].sort()).toEqual(
        itemsOf(MANY)
          .filter((item) => Number(item) % 3 !== 0)
          .sort(),
      );
      expect(table.released).toBe(MAX_RELEASED_SAVEPOINTS);
    },
  );

  it('blames no item for an error that comes only when a write tried in a dry run is repeated', async () => {
    const written = new Map<string, number>();
    const table = new MemoryTable();
    const { counted, error } = await executed(table, {
      items: itemsOf(MANY),
      chunkSize: MANY + 1,
      writer: {
        write: async (chunk) => {
          if (chunk.length > 1) throw new BadItemError('some are bad');
          const [item] = chunk;
          written.set(item!, (written.get(item!) ?? 0) + 1);
          if (written.get(item!) === 2) throw new BadItemError('another transaction came in between');
        },
      },
      skipPolicy: alwaysSkip,
      scan: 'item',
    });
    expect(error).toMatchObject({ name: 'SecondRunError', cause: { message: 'another transaction came in between' } });
    expect(counted).toBe(`R${MANY} B1`);
    expect(table.committed).toEqual([]);
  });

  it('stops at the skip limit, counting read, process and write together', async () => {
    const table = new MemoryTable();
    const { error } = await executed(table, {
      chunkSize: 6,
      reader: listReader(itemsOf(6), ['2']),
      writer: writerRefusing(['4', '5']),
      skipPolicy: limitedSkip(2, (thrown) => thrown instanceof BadItemError),
    });
    expect(error).toBeInstanceOf(SkipLimitExceededError);
    expect(table.committed).toEqual([]);
  });

  it('takes the outcomes of a writer that tells its items apart, without a scan', async () => {
    const calls: string[] = [];
    const step = stepOn<number>(new MemoryTable(), {
      items: itemsOf(3),
      chunkSize: 3,
      writer: {
        reportsOutcomes: true,
        write: async (chunk) => {
          calls.push(chunk.join(''));
          return chunk.map((item) =>
            item === '2' ? { written: false, error: new BadItemError('2') } : { written: true, result: Number(item) },
          );
        },
      },
      skipPolicy: alwaysSkip,
    });
    const execution = new StepCounters();
    const { written }: CommittedChunk<Read, Written<number>> = await step.executeChunk(execution);
    expect(calls).toEqual(['123']);
    expect(written.written.map(({ result }) => result)).toEqual([1, 3]);
    expect(counts(execution)).toBe('R3 W2 C1 ws1');
  });

  it('refuses a writer that answers fewer outcomes than it was given items', async () => {
    const { error } = await executed(new MemoryTable(), { items: itemsOf(2), writer: { write: async () => [] } });
    expect(error).toMatchObject({ message: 'The writer was given 2 items and answered 0 outcomes' });
  });
});
