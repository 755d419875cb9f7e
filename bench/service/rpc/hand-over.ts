import type { BatchServiceClient, ICreateBatchOperationRequest } from '../../../src/client/index.js';
import { callEach } from './in-flight.js';
import { CALLS_IN_FLIGHT } from './item-requests.js';

/** Creates operations call by call, several at a time; resolves when all are durable. @throws when one is refused */
export async function handOver(
  client: BatchServiceClient,
  calls: readonly (readonly ICreateBatchOperationRequest[])[],
): Promise<void> {
  await callEach(calls, CALLS_IN_FLIGHT, async (requests) => {
    const refused = (await client.createOperations(requests)).find((entry) => 'error' in entry);
    if (refused !== undefined) throw new Error(`An operation was refused: ${JSON.stringify(refused)}`);
  });
}
