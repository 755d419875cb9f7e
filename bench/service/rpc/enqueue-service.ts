import type { ICreateBatchOperationRequest } from '../../../src/client/index.js';
import type { Contestant, Runner, Stage } from '../../contest/contest.js';
import { createItemTable, inChunks, items } from '../../rows/items.js';
import { openClient, type OpenCaller } from './callers.js';
import { handOver } from './hand-over.js';
import { callEach } from './in-flight.js';
import { OPERATIONS_PER_CALL, toRequest } from './item-requests.js';
import { emptyQueue, verifyWaiting } from './operation-tables.js';
import { startService } from './start-service.js';

/** Makes all calls, and ends when the last is answered: by then every operation is durable. */
interface Enqueuer {
  enqueue(): Promise<void>;
  close(): Promise<void>;
}

type OpenEnqueuer = (
  url: string,
  queue: string,
  requests: readonly ICreateBatchOperationRequest[],
) => Promise<Enqueuer>;

/** A thousand operations a call, by the published client. */
export const bulkEnqueue: Contestant = {
  name: 'Batch Service',
  open: (stage) =>
    openRunner(stage, async (url, queue, requests) => {
      const client = openClient(url, queue);
      const calls = inChunks(requests, OPERATIONS_PER_CALL);
      return { enqueue: () => handOver(client, calls), close: () => client.close() };
    }),
};

export const singleEnqueue = (name: string, openCaller: OpenCaller, inFlight: number): Contestant => ({
  name,
  open: (stage) =>
    openRunner(stage, async (url, queue, requests) => {
      const caller = await openCaller(url, queue);
      return {
        enqueue: () => callEach(requests, inFlight, (request) => caller.call(request)),
        close: () => caller.close(),
      };
    }),
});

/** The service takes operations in and executes none: an api without a worker. */
async function openRunner(stage: Stage, openEnqueuer: OpenEnqueuer): Promise<Runner> {
  const { admin, rabbitmqUrl, scale } = stage;
  await admin.query(createItemTable());
  const requests = items(scale.operations).map(toRequest);
  const service = await startService(stage, ['api']);
  const enqueuer = await openEnqueuer(rabbitmqUrl, service.queue, requests).catch(async (error: unknown) => {
    await service.stop();
    throw error;
  });
  return {
    processes: service.pids,
    prepare: () => emptyQueue(admin),
    run: () => enqueuer.enqueue(),
    verify: () => verifyWaiting(admin, requests),
    async close() {
      await enqueuer.close();
      await service.stop();
    },
  };
}
