import type pg from 'pg';
import type { Contestant } from '../contest/contest.js';
import { openClient } from '../stage/connections.js';
import { insertItems } from '../rows/insert-items.sql.js';
import { makeItemTable } from '../rows/item-table.js';
import { inChunks, type Item } from '../rows/items.js';
import { SET_SIZE } from './direct.js';

const QUEUE = `
  create table item_queue (
    id bigint generated always as identity primary key,
    status text not null default 'waiting',
    payload json not null,
    created_at timestamptz not null default now(),
    done_at timestamptz
  );
  create index item_queue_waiting_idx on item_queue (id) where status = 'waiting'`;

const FILL = `insert into item_queue (payload) select value from json_array_elements($1::json)`;

const CLAIM: pg.QueryConfig = {
  name: 'claim',
  text: `
    select id, payload from item_queue
    where status = 'waiting'
    order by id limit ${SET_SIZE}
    for update skip locked`,
};

const markDone = (ids: readonly string[]): pg.QueryConfig => ({
  name: 'mark_done',
  text: `update item_queue set status = 'done', done_at = now() where id = any($1::bigint[])`,
  values: [ids],
});

/**
 * A queue written by hand: a table with a status. One connection takes the next thousand, writes them with the
 * statement of the limit, and marks them, in one transaction. It knows one kind of operation on one table, and no faults.
 */
export const statusColumn: Contestant = {
  name: 'status column',
  async open({ database, admin, scale }) {
    const table = await makeItemTable(admin, scale.operations);
    await admin.query(QUEUE);
    const client = await openClient(database);
    return {
      processes: [],
      async prepare() {
        await table.empty();
        await admin.query('truncate item_queue');
        for (const rows of inChunks(table.rows, 5000)) await admin.query(FILL, [JSON.stringify(rows)]);
      },
      async run() {
        for (let left = table.rows.length; left > 0;) left -= await drainSet(client);
      },
      async verify() {
        await table.verify();
        const { rowCount } = await admin.query(`select from item_queue where status <> 'done'`);
        if (rowCount !== 0) throw new Error(`${rowCount} rows of the queue are not done`);
      },
      close: () => client.end(),
    };
  },
};

/** @returns how many rows it has written. @throws when none wait */
async function drainSet(client: pg.Client): Promise<number> {
  await client.query('begin');
  const { rows } = await client.query<{ id: string; payload: Item }>(CLAIM);
  if (rows.length === 0) throw new Error('Nothing waits any more');
  await client.query(insertItems(rows.map(({ payload }) => payload)));
  await client.query(markDone(rows.map(({ id }) => id)));
  await client.query('commit');
  return rows.length;
}
