import { expect, it } from 'vitest';
import { ListItemReader } from '../../../src/batch/readers/list-item-reader.js';
import { b, BadItemError, engine, itemsOf, table } from './support/engine.js';

/** More than one transaction may have savepoints. */
const COUNT = 200;
const isBad = (item: string): boolean => Number(item) % 10 === 0;
const GOOD = itemsOf(COUNT).filter((item) => !isBad(item));

it.each(['halves', 'item'] as const)('listeners of writing are told once of each good item, by %s', async (scan) => {
  const { rows, writer } = table(isBad);
  const written: string[] = [];
  let begun = 0;
  let ended = 0;
  const load = b
    .step('load')
    .chunk(COUNT)
    .reader(new ListItemReader(itemsOf(COUNT)))
    .writer(writer)
    .faultTolerant()
    .skip(BadItemError)
    .skipLimit(COUNT)
    .scan(scan)
    .listener({
      beforeWrite: () => void (begun += 1),
      afterWrite: (items) => {
        ended += 1;
        written.push(...items);
      },
      onWriteError: () => void (ended += 1),
    })
    .build();
  expect((await engine([b.job('job').start(load).build()]).run()).status).toBe('COMPLETED');
  expect(rows).toEqual(GOOD);
  expect(written).toEqual(GOOD);
  expect(ended).toBe(begun);
});
