import {
  BatchServiceRefusalError,
  type BatchServiceClient,
  type ErrorCode,
  type ICreateBatchOperationEntry,
} from '../src/client/index.js';
import type { Workload } from './workload.js';
import type { WorkItem } from './work-item.js';

const OPERATIONS_PER_CALL = 1000;

/** The service's answer to a create. */
export type Answer = { accepted: string } | { refused: ErrorCode; message: string };

/**
 * Sends the operations like a caller who needs their order: an operation is sent after the answers to those that it
 * depends on. Returns an answer for each, in the order of `inOrder(workload)`.
 */
export async function handOver(
  client: BatchServiceClient,
  { opening, traffic, singles }: Workload,
  onAnswered: (count: number) => void,
): Promise<Answer[]> {
  const opened = await Promise.all(opening.map((stream) => inBulk(client, stream, onAnswered)));
  const bulk = await inBulk(client, traffic, onAnswered);
  const single = await Promise.all(singles.map((item) => singly(client, item, onAnswered)));
  return [...opened.flat(), ...bulk, ...single];
}

async function inBulk(
  client: BatchServiceClient,
  items: readonly WorkItem[],
  onAnswered: (count: number) => void,
): Promise<Answer[]> {
  const answers: Answer[] = [];
  for (let start = 0; start < items.length; start += OPERATIONS_PER_CALL) {
    const requests = items.slice(start, start + OPERATIONS_PER_CALL).map(({ request }) => request);
    const entries = await client.createOperations(requests);
    answers.push(...entries.map(toAnswer));
    onAnswered(requests.length);
  }
  return answers;
}

async function singly(
  client: BatchServiceClient,
  { request }: WorkItem,
  onAnswered: (count: number) => void,
): Promise<Answer> {
  try {
    const { id } = await client.createOperation(request);
    return { accepted: id };
  } catch (error) {
    if (!(error instanceof BatchServiceRefusalError)) throw error;
    return { refused: error.code, message: error.message };
  } finally {
    onAnswered(1);
  }
}

function toAnswer(entry: ICreateBatchOperationEntry): Answer {
  return 'error' in entry ? { refused: entry.error.code, message: entry.error.message } : { accepted: entry.id };
}
