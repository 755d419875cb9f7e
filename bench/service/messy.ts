import type { Contestant } from '../contest/contest.js';
import type { MessyOperation } from '../rows/messy-operations.js';
import { makeMessyTables } from '../rows/messy-tables.js';
import { delayed } from '../stage/delaying-proxy.js';
import { openDrain } from './drain.js';
import type { QueuedOperation } from './filler.js';

/** Operations of every kind, some of which are refused, waiting in the queue. */
export const serviceMessy = (bad: number, delayMs: number): Contestant => ({
  name: 'Batch Service',
  async open(stage) {
    const tables = await makeMessyTables(stage.admin, stage.scale.operations, bad);
    const away = await delayed(stage.database, delayMs);
    const drain = await openDrain(
      { ...stage, database: away.database },
      {
        operations: tables.operations.map(toQueued),
        failed: tables.refused,
        empty: () => tables.restore(),
        verify: () => tables.verify(),
      },
    );
    return {
      ...drain,
      async close() {
        await drain.close();
        await away.close();
      },
    };
  },
});

function toQueued({ kind, table, row }: MessyOperation): QueuedOperation {
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
