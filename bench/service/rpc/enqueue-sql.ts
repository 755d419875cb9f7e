import { createOperationsInTransaction } from '../../../src/client/create-operations-in-transaction.js';
import { loadSettings } from '../../../src/services/config/load-settings.js';
import { migrate } from '../../../src/services/database/migrate.js';
import { databaseEnvironment } from '../../../test/support/test-databases.js';
import type { Contestant, Runner, Stage } from '../../contest/contest.js';
import { createItemTable, inChunks, items } from '../../rows/items.js';
import { openPool } from '../../stage/connections.js';
import { callEach } from './in-flight.js';
import { CALLS_IN_FLIGHT, OPERATIONS_PER_CALL, toRequest } from './item-requests.js';
import { emptyQueue, verifyWaiting } from './operation-tables.js';

/**
 * A thousand operations a call by `batch.create_operations`, on connections of the caller, without a broker: the same way as
 * pg-boss. No process of the service runs.
 */
export const sqlEnqueue: Contestant = { name: 'Batch Service, in SQL', open };

async function open({ database, admin, scale }: Stage): Promise<Runner> {
  await migrate(loadSettings(databaseEnvironment(database)));
  await admin.query(createItemTable());
  const requests = items(scale.operations).map(toRequest);
  const calls = inChunks(requests, OPERATIONS_PER_CALL);
  // As many as pg-boss has.
  const pool = openPool(database, 10);
  return {
    processes: [],
    prepare: () => emptyQueue(admin),
    run: () =>
      callEach(calls, CALLS_IN_FLIGHT, (call) =>
        createOperationsInTransaction((text, values) => pool.query(text, values), call),
      ),
    verify: () => verifyWaiting(admin, requests),
    close: () => pool.end(),
  };
}
