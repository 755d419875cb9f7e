import type { Contestant } from '../contest/contest.js';
import { openClient } from '../stage/connections.js';
import { insertItems } from '../rows/insert-items.sql.js';
import { makeItemTable } from '../rows/item-table.js';
import { inChunks } from '../rows/items.js';

/** Rows of a statement, as many as a chunk of the service has operations by default. */
export const SET_SIZE = 1000;

/** The limit: the rows go straight into their table, set by set, each a transaction. There is no queue. */
export const direct: Contestant = {
  name: 'direct',
  async open({ database, admin, scale }) {
    const table = await makeItemTable(admin, scale.operations);
    const client = await openClient(database);
    return {
      processes: [],
      prepare: () => table.empty(),
      async run() {
        for (const rows of inChunks(table.rows, SET_SIZE)) await client.query(insertItems(rows));
      },
      verify: () => table.verify(),
      close: () => client.end(),
    };
  },
};
