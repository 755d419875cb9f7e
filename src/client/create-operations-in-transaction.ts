import type { ICreateBatchOperationRequest, ICreateBatchOperationResult } from '../interfaces/operation.js';
import type { JsonRow } from '../interfaces/json.js';
import { BatchServiceRefusalError } from './client-errors.js';
import { REFUSAL_CODES } from '../interfaces/error.js';
import { makeId } from './make-id.js';

/**
 * Runs one statement in the transaction of the caller, on the database of the service. It resolves to the rows, or to
 * an object with `rows`:
 *
 * - node-postgres: `(text, values) => client.query(text, values)`
 * - TypeORM: `(text, values) => manager.query(text, values)`
 * - Prisma: `(text, values) => tx.$queryRawUnsafe(text, ...values)`
 */
export type QueryInTransaction = (text: string, values: unknown[]) => PromiseLike<unknown>;

/** SQLSTATE of a refusal. Its detail is JSON. */
const REFUSED = 'BS100';
/** Rows instead of one JSON value: drivers differ in whether they parse JSON. */
const TEXT = `
  select r->>'id' as id, r->>'status' as status, (r->>'created')::bool as created
  from pg_catalog.jsonb_array_elements(batch.create_operations($1::jsonb)->'results') with ordinality e(r, n) order by n`;

/**
 * Creates operations within a transaction of the caller, on the database of the service. They exist if it commits, and
 * only then. Operations that may influence one another keep their order, also with those of earlier calls. At most 10
 * 000 at a time.
 *
 * The role of the connection needs the right to use schema `batch` and to execute `batch.create_operations`. It may
 * create only operations that it may do on the tables itself. Its name is the source of the operations.
 *
 * @returns one result for each operation, in order
 * @throws BatchServiceRefusalError with `details.operation`, the place of the refused operation in the list. PostgreSQL
 * then refuses every further statement of this transaction. Other errors of the database are thrown unchanged.
 */
export async function createOperationsInTransaction(
  query: QueryInTransaction,
  requests: readonly ICreateBatchOperationRequest[],
): Promise<ICreateBatchOperationResult[]> {
  const text = toJson(requests.map((request) => ({ ...request, id: request.id ?? makeId() })));
  try {
    const answer = await query(TEXT, [text]);
    const rows = Array.isArray(answer) ? answer : (answer as { rows: unknown }).rows;
    return (rows as ICreateBatchOperationResult[]).map(({ id, status, created }) => ({ id, status, created }));
  } catch (error) {
    throw toRefusal(error) ?? error;
  }
}

function toJson(requests: readonly ICreateBatchOperationRequest[]): string {
  try {
    return JSON.stringify(requests);
  } catch (cause) {
    const message = `The operations cannot be written as JSON: ${String(cause)}. Send integers beyond 2^53 as strings`;
    throw new BatchServiceRefusalError('INVALID_REQUEST', message, undefined, { cause });
  }
}

interface DatabaseFailure {
  code?: unknown;
  message?: unknown;
  detail?: unknown;
}

/** Each library wraps the error of the database in its own way. */
function toRefusal(error: unknown): BatchServiceRefusalError | undefined {
  const { driverError, meta, cause } = Object(error) as { driverError?: unknown; meta?: unknown; cause?: unknown };
  const failures = [error, driverError, meta, cause].map((each) => Object(each) as DatabaseFailure);
  const refused = failures.find(({ code }) => code === REFUSED);
  if (refused === undefined) return undefined;
  const said = String(refused.message).replace(/^ERROR: */, '');
  const code = REFUSAL_CODES.find((known) => said.startsWith(`${known}: `));
  if (code === undefined) return undefined;
  // Prisma leaves out the detail.
  const details = typeof refused.detail === 'string' ? (JSON.parse(refused.detail) as JsonRow) : {};
  return new BatchServiceRefusalError(code, said.slice(code.length + 2), details, { cause: error });
}
