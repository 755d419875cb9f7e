import type { Contestant } from '../contest/contest.js';
import { makeItemTable, type ItemTable } from '../rows/item-table.js';
import type { Item } from '../rows/items.js';
import { openDrain, type Work } from './drain.js';
import type { QueuedOperation } from './filler.js';

/** Plain inserts that wait in the queue. */
export const serviceApply: Contestant = {
  name: 'Batch Service',
  async open(stage) {
    const table = await makeItemTable(stage.admin, stage.scale.operations);
    return openDrain(stage, insertsInto(table));
  },
};

export const insertsInto = (table: ItemTable): Work => ({
  operations: table.rows.map(insertOf),
  empty: () => table.empty(),
  verify: () => table.verify(),
});

const insertOf = (item: Item): QueuedOperation => ({
  type: 'insert',
  target: 'public.item',
  values: JSON.stringify(item),
});
