import type { ICreateBatchOperationRequest, ICreateBatchOperationResult } from '../../interfaces/operation.js';
import { MAX_OPERATIONS_PER_REQUEST, type ICreateBatchOperationEntry } from '../../interfaces/rpc.js';
import type { WriteOutcome } from '../chunk/item.js';
import { BatchError } from '../model/batch-error.js';
import { isTransientCode, OperationRefusedError, OperationsNotAcceptedError } from './operation-errors.js';

type Outcome = WriteOutcome<ICreateBatchOperationResult>;

/** What `BatchServiceClient` has: creates operations in order, and answers for each of them. */
export interface OperationClient {
  createOperations(requests: readonly ICreateBatchOperationRequest[]): Promise<readonly ICreateBatchOperationEntry[]>;
}

export type EnqueueOperations = OperationClient | OperationClient['createOperations'];

/**
 * Sends operations to the service. They exist when it has answered, also if the chunk is rolled back: then the next attempt sends them
 * again, and the service knows them by their ids.
 *
 * @throws OperationsNotAcceptedError; BatchError OPERATION_ID_MISSING before anything is sent; other errors of the client
 */
export async function enqueueOperations(
  enqueue: EnqueueOperations,
  requests: readonly ICreateBatchOperationRequest[],
): Promise<Outcome[]> {
  for (const request of requests) assertId(request);
  const outcomes: Outcome[] = [];
  for (let start = 0; start < requests.length; start += MAX_OPERATIONS_PER_REQUEST) {
    const part = requests.slice(start, start + MAX_OPERATIONS_PER_REQUEST);
    const entries = await send(enqueue, part);
    if (entries.length !== part.length) {
      throw new Error(`The service was sent ${part.length} operations, and ${entries.length} were answered`);
    }
    outcomes.push(...entries.map(toOutcome));
  }
  return outcomes;
}

function assertId({ id, operationType, target }: ICreateBatchOperationRequest): void {
  if (id !== undefined) return;
  throw new BatchError(
    'OPERATION_ID_MISSING',
    `An operation (${operationType} of ${target}) has no id. Operations that are sent to a service are not part of the transaction of the ` +
      'chunk, so a repeated chunk sends them again, and only their ids tell the service that it has them. Give each the UUID that ' +
      'belongs to its item in "toOperation", not a new one.',
  );
}

async function send(
  enqueue: EnqueueOperations,
  part: readonly ICreateBatchOperationRequest[],
): Promise<readonly ICreateBatchOperationEntry[]> {
  try {
    return await (typeof enqueue === 'function' ? enqueue(part) : enqueue.createOperations(part));
  } catch (error) {
    const { code } = Object(error) as { code?: unknown };
    if (typeof code !== 'string' || !isTransientCode(code)) throw error;
    throw new OperationsNotAcceptedError(code, (error as Error).message, { cause: error });
  }
}

function toOutcome(entry: ICreateBatchOperationEntry): Outcome {
  if (!('error' in entry)) return { written: true, result: entry };
  const { code, message, details } = entry.error;
  if (isTransientCode(code)) throw new OperationsNotAcceptedError(code, message);
  return { written: false, error: new OperationRefusedError(code, message, details) };
}
