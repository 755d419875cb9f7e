import type { Contestant } from '../contest/contest.js';
import { makeMessyTables } from '../rows/messy-tables.js';
import { delayed } from '../stage/delaying-proxy.js';
import { openDrain } from './drain.js';
import { toQueued } from './to-queued.js';

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
