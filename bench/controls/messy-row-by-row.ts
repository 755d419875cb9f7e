import type { Contestant } from '../contest/contest.js';
import { applyOneMessy } from '../rows/messy-operations.js';
import { makeMessyTables } from '../rows/messy-tables.js';
import { openClient } from '../stage/connections.js';
import { delayed } from '../stage/delaying-proxy.js';

/** What the calling services do without a batch service: one awaited statement for each operation, each a transaction of its own. */
export const messyRowByRow = (bad: number, delayMs: number): Contestant => ({
  name: 'row by row',
  async open({ database, admin, scale }) {
    const tables = await makeMessyTables(admin, scale.operations, bad);
    const away = await delayed(database, delayMs);
    const client = await openClient(away.database);
    return {
      processes: [],
      prepare: () => tables.restore(),
      async run() {
        let refused = 0;
        for (const operation of tables.operations) {
          await client.query(applyOneMessy(operation)).catch(() => (refused += 1));
        }
        if (refused !== tables.refused) throw new Error(`${refused} operations were refused, not ${tables.refused}`);
      },
      verify: () => tables.verify(),
      async close() {
        await client.end();
        await away.close();
      },
    };
  },
});
