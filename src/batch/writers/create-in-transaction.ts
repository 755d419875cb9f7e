import { v7 } from 'uuid';
import type { JsonRow } from '../../interfaces/json.js';
import type { ICreateBatchOperationRequest, ICreateBatchOperationResult } from '../../interfaces/operation.js';
import { MAX_OPERATIONS_PER_REQUEST } from '../../interfaces/rpc.js';
import type { SqlClient } from '../../interfaces/sql.js';
import { isolate } from '../chunk/isolate.js';
import type { WriteOutcome } from '../chunk/item.js';
import { SavepointBudget } from '../chunk/savepoint-budget.js';
import { isDataError } from '../sql/database-errors.js';
import { inSavepoint } from '../sql/in-savepoint.js';
import { OperationRefusedError } from './operation-errors.js';
import { createOperations } from './operation-item-writer.sql.js';

type Outcome = WriteOutcome<ICreateBatchOperationResult>;

/** SQLSTATE of a refusal. */
const REFUSED = 'BS100';
/** PostgreSQL takes 256 MiB of JSON at most, and holds it in memory several times. */
const MAX_CALL_LENGTH = 16 * 1024 * 1024;

/**
 * Creates operations in a transaction on the database of the service. One bad operation makes PostgreSQL refuse the whole call. So each
 * call is behind a savepoint, and the bad ones are found by halves. The others keep their order.
 *
 * @throws other errors of the database
 */
export async function createInTransaction(
  tx: SqlClient,
  requests: readonly ICreateBatchOperationRequest[],
): Promise<Outcome[]> {
  const budget = new SavepointBudget({ savepoint: (on, work) => inSavepoint(on, 'operations', work) }, tx);
  const outcomes: Outcome[] = [];
  const sendable: Written[] = [];
  for (const [index, request] of requests.entries()) {
    const json = toJson(request);
    if (typeof json === 'string') sendable.push({ index, json });
    else outcomes[index] = { written: false, error: json };
  }
  for (const call of inCalls(sendable)) {
    const created = await isolate<Written, Outcome>(call, {
      attempt: (part) => budget.attempt(() => create(tx, part)),
      blame: (error) => (error instanceof OperationRefusedError ? 'item' : 'abort'),
      failure: (_, error) => ({ written: false, error }),
    });
    for (const [position, { index }] of call.entries()) outcomes[index] = created[position]!;
  }
  return outcomes;
}

interface Written {
  index: number;
  json: string;
}

/** An id of version 7 keeps new operations together in the index of the service. */
function toJson(request: ICreateBatchOperationRequest): string | OperationRefusedError {
  try {
    return JSON.stringify({ ...request, id: request.id ?? v7() });
  } catch (cause) {
    const message = `It cannot be written as JSON: ${String(cause)}. Send integers beyond 2^53 as strings`;
    return new OperationRefusedError('INVALID_REQUEST', message, undefined, { cause });
  }
}

function* inCalls(all: readonly Written[]): Generator<Written[]> {
  let call: Written[] = [];
  let length = 0;
  for (const each of all) {
    const isFull = call.length === MAX_OPERATIONS_PER_REQUEST || length + each.json.length > MAX_CALL_LENGTH;
    if (call.length > 0 && isFull) {
      yield call;
      call = [];
      length = 0;
    }
    call.push(each);
    length += each.json.length;
  }
  if (call.length > 0) yield call;
}

async function create(tx: SqlClient, part: readonly Written[]): Promise<Outcome[]> {
  try {
    const { rows } = await tx.query<ICreateBatchOperationResult>(
      createOperations(`[${part.map(({ json }) => json).join(',')}]`),
    );
    return rows.map((result) => ({ written: true, result }));
  } catch (error) {
    throw toRefusal(error) ?? error;
  }
}

function toRefusal(error: unknown): OperationRefusedError | undefined {
  // A character that `jsonb` cannot hold, for example.
  if (isDataError(error)) {
    return new OperationRefusedError('INVALID_VALUE', (error as Error).message, undefined, { cause: error });
  }
  const { code, message, detail } = Object(error) as { code?: unknown; message?: unknown; detail?: unknown };
  if (code !== REFUSED) return undefined;
  // The message begins with the code of the service.
  const [, serviceCode = 'INVALID_REQUEST', text = ''] = /^([A-Z_]+): ([^]*)$/.exec(String(message)) ?? [];
  // Its place in the call says nothing to the reader of the error.
  const { operation: _, ...details } = typeof detail === 'string' ? (JSON.parse(detail) as JsonRow) : {};
  return new OperationRefusedError(serviceCode, text, details, { cause: error });
}
