import PgBoss from 'pg-boss';
import { clientOptions } from '../../test/support/test-databases.js';
import type { Contestant } from '../contest/contest.js';
import { insertItems } from '../rows/insert-items.sql.js';
import { makeItemTable } from '../rows/item-table.js';
import { inChunks, type Item } from '../rows/items.js';
import { openClient } from '../stage/connections.js';
import { SET_SIZE } from './direct.js';

const QUEUE = 'items';

/**
 * pg-boss, with the largest batches that its API can fetch. The work of its user is written by hand, with the statement
 * of the limit. `fetch` marks jobs active, `complete` marks them completed; each is one call and one transaction. Its
 * maintenance and its scheduler are off, so that they disturb no repetition.
 */
export const pgBoss: Contestant = {
  name: 'pg-boss',
  async open({ database, admin, scale }) {
    const table = await makeItemTable(admin, scale.operations);
    const boss = new PgBoss({
      ...clientOptions(database),
      password: database.password,
      supervise: false,
      schedule: false,
    });
    const client = await openClient(database);
    const faults: Error[] = [];
    boss.on('error', (error) => faults.push(error));
    await boss.start();
    await boss.createQueue(QUEUE);
    return {
      processes: [],
      async prepare() {
        await table.empty();
        await boss.clearStorage();
        for (const rows of inChunks(table.rows, SET_SIZE)) {
          await boss.insert(rows.map((data) => ({ name: QUEUE, data })));
        }
      },
      async run() {
        for (let left = table.rows.length; left > 0;) {
          const jobs = await boss.fetch<Item>(QUEUE, { batchSize: SET_SIZE });
          if (jobs.length === 0) throw new Error(`${left} jobs were not fetched`);
          left -= jobs.length;
          await client.query(insertItems(jobs.map(({ data }) => data)));
          await boss.complete(
            QUEUE,
            jobs.map(({ id }) => id),
          );
        }
      },
      async verify() {
        // `fetch` tells no errors.
        if (faults.length > 0) throw new AggregateError(faults, 'pg-boss told of errors');
        await table.verify();
        const left = await boss.getQueueSize(QUEUE, { before: 'completed' });
        if (left !== 0) throw new Error(`${left} jobs are not completed`);
      },
      async close() {
        await client.end();
        await boss.stop({ graceful: false });
      },
    };
  },
};
