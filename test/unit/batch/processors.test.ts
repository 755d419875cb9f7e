import 'reflect-metadata';
import { Type } from 'class-transformer';
import { IsInt, IsString, MinLength, ValidateNested } from 'class-validator';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { classifierProcessor } from '../../../src/batch/processors/classifier-processor.js';
import { compositeProcessor } from '../../../src/batch/processors/composite-processor.js';
import { filterProcessor } from '../../../src/batch/processors/filter-processor.js';
import { validatingProcessor, type ValidationError } from '../../../src/batch/processors/validating-processor.js';
import type { ItemProcessor, ItemStream } from '../../../src/batch/chunk/item.js';
import { fakeItemContext } from '../../../src/batch/testing/index.js';
import { opened, savedBy } from '../../support/batch-items.js';
import { b, engine, listReader, table } from './support/engine.js';

const context = fakeItemContext();

/** Counts what it has processed, across restarts. */
function counting(): ItemProcessor<string, string> & ItemStream {
  let count = 0;
  return {
    open: (saved) => void (count = saved.get<number>('count') ?? 0),
    process: (item) => {
      count += 1;
      return `${item}${count}`;
    },
    update: (saved) => saved.put('count', count),
  };
}

describe('compositeProcessor', () => {
  const plusOne: ItemProcessor<number, number> = { process: (item) => item + 1 };

  it('gives the output of each to the next', async () => {
    const asText: ItemProcessor<number, string> = { process: async (item) => `<${item}>` };
    expect(await compositeProcessor(plusOne, plusOne, asText).process(1, context)).toBe('<3>');
  });

  it('does not show the next what one leaves out', async () => {
    const never: ItemProcessor<number, number> = { process: () => expect.fail('It was asked') };
    const odd = filterProcessor<number>((item) => item % 2 === 1);
    expect(await compositeProcessor(plusOne, odd, never).process(1, context)).toBeNull();
  });

  it('keeps the states of its parts apart, and gives them back after a restart', async () => {
    const first = await opened(compositeProcessor(counting(), counting()));
    expect(await first.process('a', context)).toBe('a11');
    const second = await opened(compositeProcessor(counting(), counting()), await savedBy(first));
    expect(await second.process('b', context)).toBe('b22');
    expect(await savedBy(second)).toEqual({ '0.count': 2, '1.count': 2 });
  });
});

describe('classifierProcessor', () => {
  const delegates = { a: { process: () => 'A' }, b: { process: () => 'B' } };
  const classify = (item: string): string => item[0]!;

  it('chooses by the class of the item', async () => {
    const processor = classifierProcessor<string, string>({ classify, delegates, otherwise: { process: () => '?' } });
    const outputs: unknown[] = [];
    for (const item of ['a1', 'b1', 'c1', '_']) outputs.push(await processor.process(item, context));
    expect(outputs).toEqual(['A', 'B', '?', '?']);
  });

  it('names the class that nothing is there for', async () => {
    const processor = classifierProcessor<string, string>({ classify: () => 'constructor', delegates });
    await expect(processor.process('c', context)).rejects.toMatchObject({
      code: 'NO_SUCH_DELEGATE',
      message: expect.stringMatching(/"constructor".*Known: a, b/),
    });
  });
});

describe('filterProcessor', () => {
  it('leaves out what the predicate refuses, at once or later', async () => {
    const even = filterProcessor<number>((item) => item % 2 === 0);
    const evenLater = filterProcessor<number>(async (item) => item % 2 === 0);
    for (const filter of [even, evenLater]) {
      expect([await filter.process(1, context), await filter.process(2, context)]).toEqual([null, 2]);
    }
  });
});

class Line {
  @IsInt()
  amount!: number;
}

class Order {
  @IsString()
  @MinLength(2)
  name!: string;

  @ValidateNested({ each: true })
  @Type(() => Line)
  lines!: Line[];
}

const OrderSchema = z.object({
  name: z.string().min(2),
  lines: z.array(z.object({ amount: z.coerce.number().int() })),
});

describe('validatingProcessor', () => {
  it('gives an instance of the class', async () => {
    const order = await validatingProcessor(Order).process({ name: 'Ann', lines: [{ amount: 1 }] }, context);
    expect(order).toBeInstanceOf(Order);
    expect(order!.lines[0]).toBeInstanceOf(Line);
  });

  it('gives what the schema makes of the item', async () => {
    const item = { name: 'Ann', lines: [{ amount: '12' }] };
    expect(await validatingProcessor(OrderSchema).process(item, context)).toEqual({
      name: 'Ann',
      lines: [{ amount: 12 }],
    });
  });

  it.each([
    ['class', validatingProcessor(Order)],
    ['schema', validatingProcessor(OrderSchema)],
  ])('names the first five fields that its %s refuses, and how many more there are', async (_, processor) => {
    const item = { name: 'Ann', lines: Array.from({ length: 900 }, () => ({ amount: 'x' })) };
    const error = (await (async () => processor.process(item, context))().catch(
      (thrown: unknown) => thrown,
    )) as ValidationError;
    expect(error.faults).toHaveLength(900);
    expect(error.message).toMatch(/lines\.4\.amount: [^;]+; and 895 more$/);
  });

  it.each([
    ['class', validatingProcessor(Order)],
    ['schema', validatingProcessor(OrderSchema)],
  ])('names each field that its %s refuses', async (_, processor) => {
    const item = { name: 'A', lines: [{ amount: 1 }, { amount: 'x' }] };
    const process = async () => processor.process(item, context);
    await expect(process()).rejects.toMatchObject({
      code: 'ITEM_INVALID',
      item,
      faults: [{ field: 'name' }, { field: 'lines.1.amount' }],
      message: expect.stringMatching(/name: .+; lines\.1\.amount: /),
    });
  });
});

it('Processors that a step names one after the other are opened, asked before each commit, and closed', async () => {
  const told: string[] = [];
  const noting = (name: string): ItemProcessor<string, string> & ItemStream => ({
    open: (saved) => void told.push(`open ${name} at ${saved.get<number>('at') ?? 0}`),
    process: (item) => `${item}${name}`,
    update: (saved) => saved.put('at', 1),
    close: () => void told.push(`close ${name}`),
  });
  const { rows, writer } = table();
  const step = b
    .step('load')
    .chunk(2)
    .reader(listReader(['x', 'y']))
    .processor(noting('a'))
    .processor(() => noting('b'))
    .process((item) => item.toUpperCase())
    .writer(writer)
    .build();
  const { run, steps } = engine([b.job('job').start(step).build()]);
  const [execution] = await steps(await run());
  expect(rows).toEqual(['XAB', 'YAB']);
  expect(told).toEqual(['open a at 0', 'open b at 0', 'close b', 'close a']);
  expect(JSON.stringify(execution!.context)).toContain('1');
});
