import { describe, expect, it } from 'vitest';
import type { ItemReader } from '../../../src/batch/chunk/item.js';
import type { ItemListener } from '../../../src/batch/chunk/item-listener.js';
import { alwaysSkip } from '../../../src/batch/chunk/skip-policy.js';
import { IteratorItemReader } from '../../../src/batch/readers/iterator-item-reader.js';
import type { ChunkStepBuilder } from '../../../src/batch/step/step-builder.js';
import { b, counts, engine, listReader, table, type Tx } from './support/engine.js';

type Builder = ChunkStepBuilder<string, string, Tx>;

async function run(reader: ItemReader<string, Tx>, refine: (builder: Builder) => Builder) {
  const { rows, writer } = table();
  const step = refine(b.step('load').chunk(3).reader(reader).writer(writer).faultTolerant()).build();
  const { run: start, steps } = engine([b.job('job').start(step).build()]);
  const execution = await start();
  const [stepExecution] = await steps(execution);
  return {
    status: execution.status,
    counted: counts(stepExecution),
    rows: rows.join(''),
    description: execution.exitStatus.description,
  };
}

/** Passes the item that it cannot give, as a file does with a broken line. */
function passing(bad: string): ItemReader<string, Tx> {
  const items = [...'abcde'];
  return {
    read() {
      const item = items.shift() ?? null;
      if (item === bad) throw new Error(`${item} is broken`);
      return item;
    },
  };
}

describe('a reader that fails', () => {
  it('is not called again in place of a retry, since it would give the next item and nobody would miss this one', async () => {
    expect(await run(passing('c'), (builder) => builder.retry(Error))).toMatchObject({ status: 'FAILED', rows: '' });
    const skipping = await run(passing('c'), (builder) => builder.retry(Error).skip(Error));
    expect(skipping).toMatchObject({ status: 'COMPLETED', counted: 'R4 W4 C2 rs1', rows: 'abde' });
  });

  it('is retried where it says that it gives the same item again', async () => {
    let failures = 2;
    const reader = passing('');
    const again: ItemReader<string, Tx> = {
      repeatsFailedReads: true,
      read(context) {
        failures -= 1;
        if (failures >= 0) throw new Error('The page did not come');
        return reader.read(context);
      },
    };
    expect(await run(again, (builder) => builder.retry(Error))).toMatchObject({ counted: 'R5 W5 C2', rows: 'abcde' });
  });

  it('loses no item by a listener that fails when it is told of the item', async () => {
    let failures = 1;
    const listener: ItemListener<string, string, Tx> = {
      afterRead(item) {
        if (item === 'b' && failures-- > 0) throw new Error('not now');
      },
    };
    const refine = (builder: Builder) => builder.retry(Error).skip(Error).listener(listener);
    expect(await run(listReader([...'abcde']), refine)).toMatchObject({ counted: 'R4 W4 C2 rs1', rows: 'acde' });
  });

  it.each([
    ['retries', (builder: Builder) => builder.retry(Error)],
    ['skips everything', (builder: Builder) => builder.skipPolicy(alwaysSkip)],
  ])('fails the step that %s where it is a generator, which has ended with its failure', async (_, refine) => {
    const reader = new IteratorItemReader(function* () {
      yield 'a';
      throw new Error('lost');
    }) as ItemReader<string, Tx>;
    const { status, description } = await run(reader, refine);
    expect(status).toBe('FAILED');
    expect(description).toMatch(/lost/);
  });

  it('again and again can be stopped', async () => {
    let calls = 0;
    let stopped: Promise<void> | undefined;
    const reader: ItemReader<string, Tx> = {
      read() {
        calls += 1;
        if (calls === 1500) stopped = operator.stop(id);
        throw new Error('always');
      },
    };
    const step = b.step('load').chunk(3).reader(reader).writer(table().writer).faultTolerant().skipPolicy(alwaysSkip);
    const { operator } = engine([b.job('job').start(step.build()).build()]);
    const { id } = await operator.start('job');
    const { status } = await operator.awaitEnd(id, { pollMs: 5 });
    await stopped;
    expect({ status, calls }).toEqual({ status: 'STOPPED', calls: 2000 });
  });

  it('costs one item once, also when the completion policy fails', async () => {
    const policy = {
      begin: () => (item: string) => {
        if (item === 'b') throw new Error('undecided');
        return false;
      },
    };
    const { status, rows } = await run(listReader([...'abc']), (builder) =>
      builder.completionPolicy(policy).skipPolicy(alwaysSkip),
    );
    expect({ status, rows }).toEqual({ status: 'FAILED', rows: '' });
  });
});
