import { describe, expect, it } from 'vitest';
import { alwaysSkip } from '../../../src/batch/chunk/skip-policy.js';
import type { Step } from '../../../src/batch/step/step.js';
import {
  b,
  BadItemError,
  counts,
  engine,
  itemsOf,
  listReader,
  table,
  TransientError,
  type Tx,
} from './support/engine.js';

/** Runs a job of this step, and tells how it ended. */
async function outcome(step: Step<Tx>) {
  const { run, steps } = engine([b.job('job').start(step).build()]);
  const execution = await run();
  const [stepExecution] = await steps(execution);
  return {
    status: execution.status,
    counted: counts(stepExecution),
    description: execution.exitStatus.description,
    skips: (stepExecution?.skipCount ?? 0) > 0,
  };
}

const failingAt =
  (...bad: string[]) =>
  (item: string): string => {
    if (bad.includes(item)) throw new BadItemError(`process ${item}`);
    return item;
  };

describe('the counters of a chunk-oriented step', () => {
  it.each([
    { items: 5, expected: 'R5 W5 C3' },
    { items: 4, expected: 'R4 W4 C2' },
    { items: 0, expected: '' },
  ])('of $items items in chunks of two are $expected', async ({ items, expected }) => {
    const { rows, writer } = table();
    const step = b
      .step('load')
      .chunk(2)
      .reader(listReader(itemsOf(items)))
      .writer(writer)
      .build();
    expect(await outcome(step)).toMatchObject({ status: 'COMPLETED', counted: expected });
    expect(rows).toEqual(itemsOf(items));
  });

  it('have what was read, and nothing else, when the processor fails and nothing may be skipped', async () => {
    const { rows, writer } = table();
    const step = b
      .step('load')
      .chunk(2)
      .reader(listReader(itemsOf(5)))
      .process(failingAt('1'))
      .writer(writer)
      .build();
    const { status, counted, description } = await outcome(step);
    expect({ status, counted, rows }).toEqual({ status: 'FAILED', counted: 'R2 B1', rows: [] });
    expect(description).toContain('process 1');
  });

  it('tell filtered items from skipped ones', async () => {
    const { writer } = table();
    const step = b
      .step('load')
      .chunk(2)
      .reader(listReader(itemsOf(5)))
      .process((item) => (item === '4' ? null : item))
      .writer(writer)
      .build();
    expect(await outcome(step)).toMatchObject({ counted: 'R5 W4 F1 C3', skips: false });
  });

  it('count a skip limit over reading, processing and writing together', async () => {
    const { rows, writer } = table((item) => item === '5');
    const lines = ['1', 'x', '3', 'y', '5', '6'];
    const step = b
      .step('load')
      .chunk(2)
      .reader(listReader(lines, ['x', 'y']))
      .writer(writer)
      .faultTolerant()
      .skip(BadItemError)
      .skipLimit(3)
      .build();
    expect(await outcome(step)).toMatchObject({ status: 'COMPLETED', counted: 'R4 W3 C2 rs2 ws1' });
    expect(rows).toEqual(['1', '3', '6']);
  });

  it('fail the step with one skip more than the limit', async () => {
    const { rows, writer } = table((item) => item === '5');
    const lines = ['1', 'x', '3', 'y', '5', '6'];
    const step = b
      .step('load')
      .chunk(2)
      .reader(listReader(lines, ['x', 'y']))
      .writer(writer)
      .faultTolerant()
      .skip(BadItemError)
      .skipLimit(2)
      .build();
    const { status, description } = await outcome(step);
    expect({ status, rows }).toEqual({ status: 'FAILED', rows: ['1', '3'] });
    expect(description).toContain('SKIP_LIMIT_EXCEEDED: More than 2 items had to be skipped');
  });

  it('fill a chunk up after items that could not be read', async () => {
    const { rows, writer } = table();
    const step = b
      .step('load')
      .chunk(5)
      .reader(listReader(itemsOf(10), ['3', '7']))
      .writer(writer)
      .faultTolerant()
      .skipPolicy(alwaysSkip)
      .build();
    expect(await outcome(step)).toMatchObject({ status: 'COMPLETED', counted: 'R8 W8 C2 rs2' });
    expect(rows).toEqual(['1', '2', '4', '5', '6', '8', '9', '10']);
  });
});

describe('a writer that fails', () => {
  it('is called once when its error may not be skipped', async () => {
    const { rows, calls, writer } = table((item) => item === '2');
    const step = b
      .step('load')
      .chunk(3)
      .reader(listReader(itemsOf(3)))
      .writer(writer)
      .faultTolerant()
      .skip(TransientError)
      .build();
    expect(await outcome(step)).toMatchObject({ status: 'FAILED', counted: 'R3 B1' });
    expect({ calls, rows }).toEqual({ calls: ['123'], rows: [] });
  });

  it('is called with each item alone in a scan by item', async () => {
    const { rows, calls, writer } = table((item) => item !== '1');
    const step = b
      .step('load')
      .chunk(3)
      .reader(listReader(itemsOf(3)))
      .writer(writer)
      .faultTolerant()
      .skipPolicy(alwaysSkip)
      .scan('item')
      .build();
    expect(await outcome(step)).toMatchObject({ status: 'COMPLETED', counted: 'R3 W1 C1 ws2' });
    expect({ calls, rows }).toEqual({ calls: ['123', '1', '2', '3'], rows: ['1'] });
  });

  it.each(['halves', 'item'] as const)('has every good item written once, by %s', async (scan) => {
    const { rows, writer } = table((item) => item === '3');
    const step = b
      .step('load')
      .chunk(5)
      .reader(listReader(itemsOf(5)))
      .writer(writer)
      .faultTolerant()
      .skipPolicy(alwaysSkip)
      .scan(scan)
      .build();
    expect(await outcome(step)).toMatchObject({ counted: 'R5 W4 C1 ws1' });
    expect(rows).toEqual(['1', '2', '4', '5']);
  });

  it('leaves no row of an item that failed after its insert', async () => {
    const { rows, writer } = table((item) => item !== '1');
    const step = b
      .step('load')
      .chunk(2)
      .reader(listReader(itemsOf(3)))
      .writer(writer)
      .faultTolerant()
      .skipPolicy(alwaysSkip)
      .build();
    expect(await outcome(step)).toMatchObject({ counted: 'R3 W1 C2 ws2' });
    expect(rows).toEqual(['1']);
  });

  it('may be skipped for the cause of its error', async () => {
    const writer = {
      write: async () => {
        throw new Error('outer', { cause: new BadItemError('inner') });
      },
    };
    const step = b
      .step('load')
      .chunk(1)
      .reader(listReader(['1']))
      .writer(writer)
      .faultTolerant()
      .skip(BadItemError)
      .build();
    expect(await outcome(step)).toMatchObject({ status: 'COMPLETED', counted: 'R1 C1 ws1' });
  });

  it('is retried in a new transaction before anything is skipped', async () => {
    const { rows, writer } = table();
    let failures = 2;
    const flaky = {
      write: async (...given: Parameters<typeof writer.write>) => {
        await writer.write(...given);
        if (failures-- > 0) throw new TransientError('deadlock');
      },
    };
    const step = b
      .step('load')
      .chunk(3)
      .reader(listReader(itemsOf(3)))
      .writer(flaky)
      .faultTolerant()
      .retry(TransientError)
      .retryLimit(2)
      .skip(TransientError)
      .build();
    expect(await outcome(step)).toMatchObject({ status: 'COMPLETED', counted: 'R3 W3 C1 B2' });
    expect(rows).toEqual(['1', '2', '3']);
  });

  it('has its items skipped when the retries are used up', async () => {
    const { rows, writer } = table();
    const bad = {
      write: async (...given: Parameters<typeof writer.write>) => {
        if (given[0].includes('2')) throw new TransientError('always');
        await writer.write(...given);
      },
    };
    const step = b
      .step('load')
      .chunk(3)
      .reader(listReader(itemsOf(3)))
      .writer(bad)
      .faultTolerant()
      .retry(TransientError)
      .retryLimit(1)
      .skip(TransientError)
      .build();
    expect(await outcome(step)).toMatchObject({ status: 'COMPLETED', counted: 'R3 W2 C1 B1 ws1' });
    expect(rows).toEqual(['1', '3']);
  });

  it('commits its chunk as it is after an error that undoes nothing', async () => {
    const { rows, writer } = table((item) => item === '2');
    const step = b
      .step('load')
      .chunk(2)
      .reader(listReader(itemsOf(4)))
      .writer(writer)
      .faultTolerant()
      .noRollback(BadItemError)
      .build();
    expect(await outcome(step)).toMatchObject({ status: 'COMPLETED', counted: 'R4 W4 C2' });
    expect(rows).toEqual(['1', '2', '3', '4']);
  });
});

describe('a processor that fails', () => {
  it('has its item skipped, and every other item written', async () => {
    const { rows, writer } = table();
    const step = b
      .step('load')
      .chunk(2)
      .reader(listReader(itemsOf(5)))
      .process(failingAt('4'))
      .writer(writer)
      .faultTolerant()
      .skip(BadItemError)
      .build();
    expect(await outcome(step)).toMatchObject({ status: 'COMPLETED', counted: 'R5 W4 C3 ps1' });
    expect(rows).toEqual(['1', '2', '3', '5']);
  });

  it('is called again for the same item as often as the limit allows', async () => {
    const { rows, writer } = table();
    let attempts = 0;
    const step = b
      .step('load')
      .chunk(2)
      .reader(listReader(['1']))
      .process((item) => {
        attempts += 1;
        if (attempts < 3) throw new TransientError('not yet');
        return item;
      })
      .writer(writer)
      .faultTolerant()
      .retry(TransientError)
      .retryLimit(2)
      .build();
    expect(await outcome(step)).toMatchObject({ status: 'COMPLETED', counted: 'R1 W1 C1' });
    expect({ attempts, rows }).toEqual({ attempts: 3, rows: ['1'] });
  });

  it('is not called again for an error of another class', async () => {
    const { writer } = table();
    let attempts = 0;
    const step = b
      .step('load')
      .chunk(2)
      .reader(listReader(['1']))
      .process<string>(() => {
        attempts += 1;
        throw new BadItemError('bad');
      })
      .writer(writer)
      .faultTolerant()
      .retry(TransientError)
      .build();
    expect(await outcome(step)).toMatchObject({ status: 'FAILED', counted: 'R1 B1' });
    expect(attempts).toBe(1);
  });

  it('works on several items at the same time, and they are written in the order of reading', async () => {
    const { rows, writer } = table();
    let [active, most] = [0, 0];
    const step = b
      .step('load')
      .chunk(6)
      .reader(listReader(itemsOf(6)))
      .process(async (item) => {
        active += 1;
        most = Math.max(most, active);
        await new Promise((resolve) => setTimeout(resolve, (7 - Number(item)) * 2));
        active -= 1;
        return item;
      })
      .writer(writer)
      .concurrency(3)
      .build();
    await outcome(step);
    expect({ rows, most }).toEqual({ rows: itemsOf(6), most: 3 });
  });
});

describe('skip listeners', () => {
  it('are told once of each item, in the transaction that commits the rest of its chunk', async () => {
    const { rows, writer } = table((item) => item === '3');
    let commitFails = true;
    const told: string[] = [];
    const kept: string[] = [];
    const note = (text: string, { tx }: { tx: Tx }) => {
      told.push(text);
      tx.onCommit(() => void kept.push(text));
    };
    const step = b
      .step('load')
      .chunk(4)
      .reader(listReader(['1', 'x', '2', '3', '4'], ['x']))
      .process(failingAt('2'))
      .writer(writer)
      .faultTolerant()
      .retry(TransientError)
      .skip(BadItemError)
      .listener({
        onSkipInRead: (error, context) => note((error as Error).message, context),
        onSkipInProcess: (item, _, context) => note(`process ${item}`, context),
        onSkipInWrite: (item, _, context) => note(`write ${item}`, context),
        afterWrite: () => {
          if (!commitFails) return;
          commitFails = false;
          throw new TransientError('connection lost');
        },
      })
      .build();
    expect(await outcome(step)).toMatchObject({ status: 'COMPLETED', counted: 'R4 W2 C1 B1 rs1 ps1 ws1' });
    expect(rows).toEqual(['1', '4']);
    expect(told).toEqual(['read x', 'process 2', 'write 3']);
    expect(kept).toEqual(told);
  });
});
