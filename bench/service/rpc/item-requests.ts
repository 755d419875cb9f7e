import type { ICreateBatchOperationRequest } from '../../../src/client/index.js';
import type { Item } from '../../rows/items.js';

export const OPERATIONS_PER_CALL = 1000;
/** Calls of a thousand that wait for their answers: enough that neither side waits for the other. */
export const CALLS_IN_FLIGHT = 4;

/** The insert of a row, as callers of the service write it. The table has its schema, as the service stores it. */
export const toRequest = (row: Item): ICreateBatchOperationRequest => ({
  operationType: 'insert',
  target: 'public.item',
  values: { ...row },
});
