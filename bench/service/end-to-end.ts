import type { Contestant, Figure, Runner, Stage } from '../contest/contest.js';
import { direct } from '../controls/direct.js';
import { makeItemTable } from '../rows/item-table.js';
import { inChunks } from '../rows/items.js';
import { awaitSettled } from './rpc/await-settled.js';
import { openClient } from './rpc/callers.js';
import { handOver } from './rpc/hand-over.js';
import { OPERATIONS_PER_CALL, toRequest } from './rpc/item-requests.js';
import { emptyQueue, verifySettled } from './rpc/operation-tables.js';
import { startService, type Role } from './rpc/start-service.js';

/** Taken in and executed, both at once: from the first call until the last row is in its table. */
export const endToEnd: Figure = {
  kind: 'race',
  name: 'end-to-end',
  title: 'End to end: 1000 operations a call by RPC over RabbitMQ, taken in and applied at the same time',
  contestants: [direct, service('Batch Service', ['api', 'worker']), service('Batch Service, one process', ['all'])],
  quickLacks: 'statements',
};

function service(name: string, roles: readonly Role[]): Contestant {
  return { name, open: (stage) => openService(stage, roles) };
}

/** With default settings: the workers are woken. */
async function openService(stage: Stage, roles: readonly Role[]): Promise<Runner> {
  const { admin, rabbitmqUrl, scale } = stage;
  const table = await makeItemTable(admin, scale.operations);
  const calls = inChunks(table.rows.map(toRequest), OPERATIONS_PER_CALL);
  const running = await startService(stage, roles);
  const client = openClient(rabbitmqUrl, running.queue);
  return {
    processes: running.pids,
    async prepare() {
      await table.empty();
      await emptyQueue(admin);
    },
    async run() {
      await handOver(client, calls);
      await awaitSettled(admin, scale.operations);
    },
    async verify() {
      await table.verify();
      await verifySettled(admin, scale.operations);
    },
    async close() {
      await client.close();
      await running.stop();
    },
  };
}
