import type { Contestant } from '../contest/contest.js';
import type { MixedOperation } from '../rows/mixed-operations.js';
import { makeMixedTables } from '../rows/mixed-tables.js';
import { openDrain } from './drain.js';
import type { QueuedOperation } from './filler.js';

/** Operations of every kind on several tables, waiting in the queue in no order that would suit it. */
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

function toQueued({ kind, table, row }: MixedOperation): QueuedOperation {
  const target = `public.${table}`;
  const { id, ...others } = row;
  const key = JSON.stringify({ id });
  switch (kind) {
    case 'insert':
      return { type: kind, target, values: JSON.stringify(row) };
    case 'upsert':
      return { type: kind, target, values: JSON.stringify(row), conflictKey: ['id'] };
    case 'update':
    case 'increment':
      return { type: kind, target, key, values: JSON.stringify(others) };
    case 'delete':
      return { type: kind, target, key };
  }
}
