import * as fc from 'fast-check';
import { expect } from 'vitest';
import { RPC_PATTERNS } from '../../../src/interfaces/rpc.js';
import { anyJson, hostileText, operation, operationId, operations } from './arbitraries.js';
import { assertCreated, assertCreatedMany, assertOperation, assertPlan, assertRefusal } from './fuzzed-service.js';

export interface RpcRequest {
  pattern: string;
  data: unknown;
}

/** A wait that is long would only make the test so. */
const timeoutMs = fc.oneof(fc.constantFrom(0, 1, 5, -1, 30_001, 1.5, '5', null), hostileText);
const ofOperation = fc.oneof(
  { weight: 4, arbitrary: fc.record({ id: operationId, timeoutMs }) },
  { weight: 1, arbitrary: anyJson },
);

const page = fc.record(
  { limit: fc.oneof(fc.constantFrom(1, 0, 1001, '5', null), anyJson), cursor: hostileText },
  { requiredKeys: [] },
);

const to = (pattern: string, data: fc.Arbitrary<unknown>): fc.Arbitrary<RpcRequest> =>
  data.map((each) => ({ pattern, data: each }));

export const rpcRequest: fc.Arbitrary<RpcRequest> = fc.oneof(
  { weight: 4, arbitrary: to(RPC_PATTERNS.createOperation, fc.oneof({ weight: 4, arbitrary: operation }, anyJson)) },
  { weight: 3, arbitrary: to(RPC_PATTERNS.createOperations, operations) },
  { weight: 2, arbitrary: to(RPC_PATTERNS.planOperations, operations) },
  { weight: 1, arbitrary: to(RPC_PATTERNS.getOperation, ofOperation) },
  { weight: 1, arbitrary: to(RPC_PATTERNS.waitForOperation, ofOperation) },
  { weight: 1, arbitrary: to(RPC_PATTERNS.cancelOperation, ofOperation) },
  { weight: 1, arbitrary: to(RPC_PATTERNS.retryOperation, ofOperation) },
  { weight: 1, arbitrary: to(RPC_PATTERNS.listBulkActions, fc.oneof(page, anyJson)) },
  { weight: 1, arbitrary: to(RPC_PATTERNS.stopBulkAction, ofOperation) },
  { weight: 1, arbitrary: fc.record({ pattern: hostileText, data: anyJson }) },
);

const SUCCESS: Readonly<Record<string, (response: unknown) => void>> = {
  [RPC_PATTERNS.createOperation]: assertCreated,
  [RPC_PATTERNS.createOperations]: assertCreatedMany,
  [RPC_PATTERNS.planOperations]: assertPlan,
  [RPC_PATTERNS.listBulkActions]: (response) => expect(response).toMatchObject({ items: [] }),
};

/** It is a refusal with a code, or what the pattern answers; one of both. */
export function assertRpcAnswer(
  pattern: string,
  answer: { response?: unknown; err?: unknown; isDisposed?: unknown },
): void {
  expect(answer.isDisposed).toBe(true);
  if (answer.err !== undefined) {
    expect(answer).not.toHaveProperty('response');
    expect(answer.err).toMatchObject({ status: 'error' });
    return assertRefusal(answer.err);
  }
  const assertSuccess = Object.hasOwn(SUCCESS, pattern) ? SUCCESS[pattern]! : assertOperation;
  assertSuccess(answer.response);
}
