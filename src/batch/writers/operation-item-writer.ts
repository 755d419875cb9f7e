import type { ICreateBatchOperationRequest, ICreateBatchOperationResult } from '../../interfaces/operation.js';
import type { SqlClient } from '../../interfaces/sql.js';
import type { ItemContext, ItemWriter, WriteOutcome } from '../chunk/item.js';
import { createInTransaction } from './create-in-transaction.js';
import { enqueueOperations, type EnqueueOperations } from './enqueue-operations.js';

export type { EnqueueOperations, OperationClient } from './enqueue-operations.js';

export interface OperationItemWriterOptions<T> {
  /** The operation of an item. What it throws counts as the fault of that item. Default: the items are operations. */
  toOperation?: (item: T) => ICreateBatchOperationRequest;
  /**
   * Sends the operations to a service whose database is another one: a `BatchServiceClient`, or a function like its `createOperations`.
   * Each operation needs an `id` that is the same in every attempt at its item. Default: SQL in the transaction of the chunk.
   */
  enqueue?: EnqueueOperations;
}

/** Items that are no operations need `toOperation`. */
type NeedsMapping<T> = [T] extends [ICreateBatchOperationRequest]
  ? unknown
  : Required<Pick<OperationItemWriterOptions<T>, 'toOperation'>>;

/** A transaction that is not one of PostgreSQL needs `enqueue`. */
type NeedsEnqueue<Tx> = [Tx] extends [SqlClient]
  ? unknown
  : Required<Pick<OperationItemWriterOptions<never>, 'enqueue'>>;

/**
 * Creates operations of Batch Service from the items of a chunk, in their order. It promises that each exists once: in SQL they exist
 * exactly when the chunk commits; with `enqueue` the ids make sure that a repeated chunk creates nothing twice. A refused operation
 * is the outcome of its item. What becomes of the operations later is left to the service.
 */
export class OperationItemWriter<T = ICreateBatchOperationRequest, Tx = SqlClient> implements ItemWriter<
  T,
  ICreateBatchOperationResult,
  Tx
> {
  readonly reportsOutcomes = true;

  constructor(private readonly options: OperationItemWriterOptions<T> & NeedsMapping<T> & NeedsEnqueue<Tx>) {}

  /**
   * The outcome of a refused operation has an `OperationRefusedError`.
   *
   * @throws other errors of the database, or with `enqueue` of the client; OperationsNotAcceptedError when the service takes no operations
   * at the moment; BatchError OPERATION_ID_MISSING
   */
  async write(items: readonly T[], { tx }: ItemContext<Tx>): Promise<WriteOutcome<ICreateBatchOperationResult>[]> {
    const { enqueue } = this.options;
    const outcomes: WriteOutcome<ICreateBatchOperationResult>[] = [];
    const mapped: { index: number; request: ICreateBatchOperationRequest }[] = [];
    for (const [index, item] of items.entries()) {
      try {
        mapped.push({ index, request: this.toOperation(item) });
      } catch (error) {
        outcomes[index] = { written: false, error };
      }
    }
    const requests = mapped.map(({ request }) => request);
    const created =
      enqueue === undefined
        ? // The type of the options makes sure of this transaction.
          await createInTransaction(tx as SqlClient, requests)
        : await enqueueOperations(enqueue, requests);
    for (const [position, { index }] of mapped.entries()) outcomes[index] = created[position]!;
    return outcomes;
  }

  private toOperation(item: T): ICreateBatchOperationRequest {
    const { toOperation = asItIs } = this.options as OperationItemWriterOptions<T>;
    return toOperation(item);
  }
}

/** The type of the options makes sure that the items are operations. */
const asItIs = (item: unknown): ICreateBatchOperationRequest => item as ICreateBatchOperationRequest;
