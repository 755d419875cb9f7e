import type { ErrorCode, ICreateBatchOperationRequest } from '../src/client/index.js';

/** The expected outcome of an operation. */
export type Expectation =
  | { status: 'completed' }
  /** Stored, and then refused by the database. */
  | { status: 'failed'; code: ErrorCode }
  /** Refused at once, not stored. */
  | { status: 'refused'; code: ErrorCode };

export interface WorkItem {
  request: ICreateBatchOperationRequest;
  expected: Expectation;
}

export const good = (request: ICreateBatchOperationRequest): WorkItem => ({
  request,
  expected: { status: 'completed' },
});

export const failing = (code: ErrorCode, request: ICreateBatchOperationRequest): WorkItem => ({
  request,
  expected: { status: 'failed', code },
});

export const refused = (code: ErrorCode, request: ICreateBatchOperationRequest): WorkItem => ({
  request,
  expected: { status: 'refused', code },
});
