import PgBoss from 'pg-boss';
import { clientOptions } from '../../../test/support/test-databases.js';
import type { Contestant, Runner, Stage } from '../../contest/contest.js';
import { inChunks, items } from '../../rows/items.js';
import { callEach } from './in-flight.js';
import { CALLS_IN_FLIGHT, OPERATIONS_PER_CALL, toRequest } from './item-requests.js';
import { verifyPayloads } from './stored-payloads.js';

const QUEUE = 'item';

/**
 * A thousand jobs a call by `insert`, which its documentation names for many jobs: one statement with the jobs as JSON. Its own
 * pool of ten connections, the default; without maintenance and schedules, which would only take time away.
 */
export const pgBossEnqueue: Contestant = { name: 'pg-boss', open: openPgBoss };

async function openPgBoss({ database, admin, scale }: Stage): Promise<Runner> {
  const { host, port, user } = clientOptions(database);
  const { password } = database;
  const boss = new PgBoss({
    ...{ host, port, user, password, database: database.database },
    supervise: false,
    schedule: false,
  });
  let failure: Error | undefined;
  boss.on('error', (error) => (failure ??= error));
  await boss.start();
  await boss.createQueue(QUEUE);
  const requests = items(scale.operations).map(toRequest);
  const calls = inChunks(
    requests.map((data) => ({ name: QUEUE, data })),
    OPERATIONS_PER_CALL,
  );
  return {
    processes: [],
    prepare: async () => void (await admin.query('truncate pgboss.job')),
    run: () => callEach(calls, CALLS_IN_FLIGHT, (jobs) => boss.insert(jobs)),
    async verify() {
      if (failure !== undefined) throw new Error('pg-boss reported an error', { cause: failure });
      await verifyPayloads(
        admin,
        `select data as payload from pgboss.job where name = '${QUEUE}' and state = 'created'`,
        requests,
      );
    },
    close: () => boss.stop({ graceful: false, wait: true }),
  };
}
