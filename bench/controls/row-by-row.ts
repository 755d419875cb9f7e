import type pg from 'pg';
import type { Contestant } from '../contest/contest.js';
import { insertItem } from '../rows/insert-items.sql.js';
import { makeItemTable } from '../rows/item-table.js';
import { openClient } from '../stage/connections.js';

const MANY_CONNECTIONS = 16;

/** What the calling services do without a batch service: one awaited insert for each row, each a transaction of its own. */
export const rowByRow = rowByRowOver('row by row', 1);

/** The same, as many services do it at a time. */
export const rowByRowOnMany = rowByRowOver(`row by row, ${MANY_CONNECTIONS} connections`, MANY_CONNECTIONS);

function rowByRowOver(name: string, connections: number): Contestant {
  return {
    name,
    async open({ database, admin, scale }) {
      const table = await makeItemTable(admin, scale.operations);
      const clients = await Promise.all(Array.from({ length: connections }, () => openClient(database)));
      const close = async (): Promise<void> => {
        for (const client of clients) await client.end();
      };
      return {
        processes: [],
        prepare: () => table.empty(),
        async run() {
          // All share one iterator: a connection that is free takes the next row.
          const waiting = table.rows.values();
          const insertAll = async (client: pg.Client): Promise<void> => {
            for (const row of waiting) await client.query(insertItem(row));
          };
          await Promise.all(clients.map(insertAll));
        },
        verify: () => table.verify(),
        close,
      };
    },
  };
}
