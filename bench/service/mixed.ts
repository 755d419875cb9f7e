import type { Contestant } from '../contest/contest.js';
import { makeMixedTables } from '../rows/mixed-tables.js';
import { openDrain } from './drain.js';
import { toQueued } from './to-queued.js';

/** Operations of every kind on several tables, waiting in the queue in random order. */
export const serviceMixed: Contestant = {
  name: 'Batch Service',
  async open(stage) {
    const tables = await makeMixedTables(stage.admin, stage.scale.operations);
    return openDrain(stage, {
      operations: tables.operations.map(toQueued),
      empty: () => tables.restore(),
      verify: () => tables.verify(),
    });
  },
};
