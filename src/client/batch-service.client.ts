import type { OnApplicationShutdown } from '@nestjs/common';
import type { IBulkAction, IBulkActionCount, IBulkActionRequest } from '../interfaces/bulk-action.js';
import type { ErrorCode, IServiceError } from '../interfaces/error.js';
import type { JsonRow } from '../interfaces/json.js';
import type {
  IBatchOperation,
  ICreateBatchOperationRequest,
  ICreateBatchOperationResult,
  IPage,
  OperationStatus,
} from '../interfaces/operation.js';
import type { IOperationsPlan } from '../interfaces/plan.js';
import {
  MAX_OPERATIONS_PER_REQUEST,
  RPC_PATTERNS,
  type ICreateBatchOperationEntry,
  type ICreateBatchOperationsResponse,
  type IPageRequest,
  type IWaitForOperationRequest,
} from '../interfaces/rpc.js';
import {
  BatchServiceError,
  BatchServiceRefusalError,
  BatchServiceTimeoutError,
  isBatchServiceError,
  isTransient,
  type IdentifiedRequest,
} from './client-errors.js';
import {
  resolveOptions,
  type BatchServiceClientOptions,
  type CallOptions,
  type ResolvedOptions,
} from './client-options.js';
import { makeId } from './make-id.js';
import { retrying } from './retrying.js';
import { ServiceConnection } from './service-connection.js';
import { splitRequests, write, WrittenList } from './split-requests.js';

/** The options that the short forms (`insert`, `upsert`, …) accept. */
export type OperationOptions = Omit<ICreateBatchOperationRequest, 'operationType' | 'target' | 'key' | 'values'>;

/** The answer to a dry run is a number. */
export type BulkAnswer<Request> = Request extends { dryRun: true } ? IBulkActionCount : IBulkAction;

export interface WaitOptions {
  /** How long to wait for the outcome, including reconnects, in milliseconds. Default: 60 000. */
  timeoutMs?: number;
}

const FINAL: readonly OperationStatus[] = ['completed', 'failed', 'cancelled'];
const DEFAULT_WAIT_MS = 60_000;
/** The length of one long poll. It is short, so that a lost answer costs little time. */
const LONG_POLL_MS = 10_000;
/** A wait that ends without an outcome may get its answer this much later. */
const WAIT_GRACE_MS = 1000;
/** Long polls of one `waitForOperations` at a time. Each takes a message of the queue of the service. */
const CONCURRENT_WAITS = 16;

/**
 * Sends single-row writes to the Batch Service and asks for their results. An operation gets its id here, before the
 * first attempt, so a request can safely be repeated when its answer was lost. Every call ends, either with the
 * service's answer or with a `BatchServiceError` that has a stable code.
 */
export class BatchServiceClient implements OnApplicationShutdown {
  private readonly options: ResolvedOptions;
  private readonly connection: ServiceConnection;

  /**
   * Connects with the first call, so that an application can boot while the broker is down.
   *
   * @throws BatchServiceError `INVALID_OPTIONS`
   */
  constructor(options: BatchServiceClientOptions) {
    this.options = resolveOptions(options);
    this.connection = new ServiceConnection(this.options);
  }

  /** Resolves when the operation is durable. If operations must keep their order, create one after the other. */
  async createOperation(
    request: ICreateBatchOperationRequest,
    options?: CallOptions,
  ): Promise<ICreateBatchOperationResult> {
    const identified = this.identify(request);
    return withRequests([identified], () => this.call(RPC_PATTERNS.createOperation, this.write(identified), options));
  }

  /**
   * Creates any number of operations, in the order of the list. Answers for each, in the same order: accepted, or
   * refused with an `error`. A refused operation does not affect the others. A long list is sent as several requests,
   * one after the other. If one of these fails, the earlier ones stay accepted, and `error.requests` can be passed to
   * this method again.
   */
  async createOperations(
    requests: readonly ICreateBatchOperationRequest[],
    options?: CallOptions,
  ): Promise<ICreateBatchOperationEntry[]> {
    const identified = this.identifyAll('createOperations', requests);
    return withRequests(identified, async () => {
      const results: ICreateBatchOperationEntry[][] = [];
      for (const part of splitRequests(identified, this.options.maxRequestBytes)) {
        results.push('refuse' in part ? [{ error: part.refuse }] : await this.createPart(part.send, options));
      }
      return results.flat();
    });
  }

  /**
   * Explains how the service would group operations if they were alone in its queue, and why not in fewer groups.
   * Nothing is executed or stored. The list is sent as one request, for which the service has a limit
   * (`BATCH_PLAN_OPERATION_LIMIT`, 1000).
   *
   * @throws BatchServiceRefusalError `TOO_MANY_OPERATIONS`, `PAYLOAD_TOO_LARGE`
   */
  async planOperations(
    requests: readonly ICreateBatchOperationRequest[],
    options?: CallOptions,
  ): Promise<IOperationsPlan> {
    const { maxRequestBytes } = this.options;
    const parts = [...splitRequests(this.identifyAll('planOperations', requests), maxRequestBytes)];
    for (const part of parts) if ('refuse' in part) throw BatchServiceRefusalError.of(part.refuse);
    if (parts.length > 1) throw BatchServiceRefusalError.of(notOneRequest(requests.length, maxRequestBytes));
    const [part] = parts;
    const { json } = part !== undefined && 'send' in part ? part.send : new WrittenList();
    return this.call(RPC_PATTERNS.planOperations, json, options);
  }

  /**
   * Fire and forget: resolves with the operation's id when the broker has stored the message (over TCP: when it is
   * written to the socket). It does not say whether the service accepts the operation. Use the id to ask later.
   */
  async emitOperation(request: ICreateBatchOperationRequest, options?: CallOptions): Promise<string> {
    const identified = this.identify(request);
    return withRequests([identified], async () => {
      const json = this.write(identified);
      await this.attempts(options, (timeoutMs) => this.connection.emit(RPC_PATTERNS.createOperation, json, timeoutMs));
      return identified.id;
    });
  }

  insert(target: string, values: JsonRow, options?: OperationOptions): Promise<ICreateBatchOperationResult> {
    return this.createOperation({ ...options, operationType: 'insert', target, values });
  }

  upsert(target: string, values: JsonRow, options?: OperationOptions): Promise<ICreateBatchOperationResult> {
    return this.createOperation({ ...options, operationType: 'upsert', target, values });
  }

  /** Sets `values` in the row that `key` names. */
  update(
    target: string,
    key: JsonRow,
    values: JsonRow,
    options?: OperationOptions,
  ): Promise<ICreateBatchOperationResult> {
    return this.createOperation({ ...options, operationType: 'update', target, key, values });
  }

  /** Adds `values`, which may be negative, to the row that `key` names. */
  increment(
    target: string,
    key: JsonRow,
    values: JsonRow,
    options?: OperationOptions,
  ): Promise<ICreateBatchOperationResult> {
    return this.createOperation({ ...options, operationType: 'increment', target, key, values });
  }

  delete(target: string, key: JsonRow, options?: OperationOptions): Promise<ICreateBatchOperationResult> {
    return this.createOperation({ ...options, operationType: 'delete', target, key });
  }

  /** @throws BatchServiceRefusalError `OPERATION_NOT_FOUND` */
  getOperation(id: string, options?: CallOptions): Promise<IBatchOperation> {
    return this.call(RPC_PATTERNS.getOperation, JSON.stringify({ id }), options);
  }

  /**
   * Resolves as soon as the operation is final: `completed`, `failed` or `cancelled`. While it waits, it ignores
   * failures of the broker and the service.
   *
   * @throws BatchServiceTimeoutError `WAIT_TIMEOUT`, with the last known status in `details` and the last transient
   * failure as `cause`; BatchServiceRefusalError `OPERATION_NOT_FOUND`
   */
  async waitForOperation(id: string, { timeoutMs = DEFAULT_WAIT_MS }: WaitOptions = {}): Promise<IBatchOperation> {
    const deadline = performance.now() + timeoutMs;
    let last: IBatchOperation | undefined;
    let cause: unknown;
    do {
      try {
        last = await this.longPoll(id, deadline);
        if (FINAL.includes(last.status)) return last;
      } catch (error) {
        if (!isTransient(error)) throw error;
        cause = error;
        break;
      }
    } while (performance.now() < deadline);
    throw new BatchServiceTimeoutError(
      'WAIT_TIMEOUT',
      `Operation ${id} was not final after ${timeoutMs} ms${last ? `: it is ${last.status}` : ''}${last?.waiting ? `. ${last.waiting.text}` : ''}`,
      {
        id,
        timeoutMs,
        ...(last && { status: last.status }),
        ...(last?.waiting && { waiting: { ...last.waiting } as unknown as JsonRow }),
      },
      { cause },
    );
  }

  /** Waits for all operations, at most `timeoutMs` in total, in the order of `ids`. Rejects with the first failure. */
  async waitForOperations(
    ids: readonly string[],
    { timeoutMs = DEFAULT_WAIT_MS }: WaitOptions = {},
  ): Promise<IBatchOperation[]> {
    const deadline = performance.now() + timeoutMs;
    assertList('waitForOperations', 'ids', ids);
    const operations: IBatchOperation[] = [];
    const open = ids.entries();
    let failed = false;
    const waitForRest = async (): Promise<void> => {
      for (const [index, id] of open) {
        if (failed) return;
        const remaining = Math.max(0, Math.ceil(deadline - performance.now()));
        operations[index] = await this.waitForOperation(id, { timeoutMs: remaining });
      }
    };
    try {
      await Promise.all(Array.from({ length: Math.min(CONCURRENT_WAITS, ids.length) }, waitForRest));
      return operations;
    } catch (error) {
      failed = true;
      throw error;
    }
  }

  /** @throws BatchServiceRefusalError `NOT_CANCELLABLE` when the operation is final already, `OPERATION_NOT_FOUND` */
  cancelOperation(id: string, options?: CallOptions): Promise<IBatchOperation> {
    const read = (): Promise<IBatchOperation> => this.getOperation(id, options);
    return this.change(
      RPC_PATTERNS.cancelOperation,
      { id, refusal: 'NOT_CANCELLABLE', reached: ['cancelled'], read },
      options,
    );
  }

  /**
   * Retries a failed or cancelled operation.
   *
   * @throws BatchServiceRefusalError `NOT_RETRYABLE`, `OPERATION_NOT_FOUND`
   */
  retryOperation(id: string, options?: CallOptions): Promise<IBatchOperation> {
    const read = (): Promise<IBatchOperation> => this.getOperation(id, options);
    const reached: OperationStatus[] = ['pending', 'scheduled', 'completed'];
    return this.change(RPC_PATTERNS.retryOperation, { id, refusal: 'NOT_RETRYABLE', reached, read }, options);
  }

  /**
   * Retries all failed (or cancelled) operations that match a filter. The answer comes when the action has ended, or
   * after 1.5 s with status `running`: `getBulkAction` then shows how far it is.
   *
   * @throws BatchServiceRefusalError `INVALID_REQUEST`, `COUNT_CHANGED`
   */
  retryOperations<Request extends IBulkActionRequest>(
    request: Request,
    options?: CallOptions,
  ): Promise<BulkAnswer<Request>> {
    return this.bulk(RPC_PATTERNS.retryOperations, request, options);
  }

  /** Cancels all operations that match a filter and wait, see `retryOperations`. */
  cancelOperations<Request extends IBulkActionRequest>(
    request: Request,
    options?: CallOptions,
  ): Promise<BulkAnswer<Request>> {
    return this.bulk(RPC_PATTERNS.cancelOperations, request, options);
  }

  /** Deletes key and values of all settled operations that match a filter, for good. See `retryOperations`. */
  eraseOperations<Request extends IBulkActionRequest>(
    request: Request,
    options?: CallOptions,
  ): Promise<BulkAnswer<Request>> {
    return this.bulk(RPC_PATTERNS.eraseOperations, request, options);
  }

  /** @throws BatchServiceRefusalError `BULK_ACTION_NOT_FOUND` */
  getBulkAction(id: string, options?: CallOptions): Promise<IBulkAction> {
    return this.call(RPC_PATTERNS.getBulkAction, JSON.stringify({ id }), options);
  }

  /**
   * Bulk actions, newest first. With a `nextCursor` there may be more. A key that is limited to targets sees its own.
   *
   * @throws BatchServiceRefusalError `INVALID_REQUEST`
   */
  listBulkActions(page: IPageRequest = {}, options?: CallOptions): Promise<IPage<IBulkAction>> {
    return this.call(RPC_PATTERNS.listBulkActions, JSON.stringify(page), options);
  }

  /**
   * Stops a bulk action after its running step. What was done stays done.
   *
   * @throws BatchServiceRefusalError `BULK_ACTION_NOT_FOUND`, `BULK_ACTION_ENDED`
   */
  stopBulkAction(id: string, options?: CallOptions): Promise<IBulkAction> {
    const read = (): Promise<IBulkAction> => this.getBulkAction(id, options);
    return this.change(
      RPC_PATTERNS.stopBulkAction,
      { id, refusal: 'BULK_ACTION_ENDED', reached: ['stopped'], read },
      options,
    );
  }

  /** Fails all open calls with `CLIENT_CLOSED` and disconnects. */
  close(): Promise<void> {
    return this.connection.close();
  }

  /** Not earlier, because requests that the application still answers while its servers close may need the client. */
  async onApplicationShutdown(): Promise<void> {
    await this.close();
  }

  /** The action gets its id here, so that a repeated request is the same action. */
  private bulk<Request extends IBulkActionRequest>(
    pattern: string,
    request: Request,
    options: CallOptions | undefined,
  ): Promise<BulkAnswer<Request>> {
    const identified = request.dryRun === true ? request : { ...request, id: request.id ?? makeId() };
    return this.call(pattern, JSON.stringify(identified), options);
  }

  private identifyAll(method: string, requests: readonly ICreateBatchOperationRequest[]): IdentifiedRequest[] {
    assertList(method, 'operations', requests);
    return requests.map((request) => this.identify(request));
  }

  private identify(request: ICreateBatchOperationRequest): IdentifiedRequest {
    if (typeof request !== 'object' || request === null || Array.isArray(request)) {
      throw new BatchServiceRefusalError('INVALID_REQUEST', `An operation must be an object, got ${kindOf(request)}`);
    }
    const source = request.source ?? this.options.source;
    const identified: IdentifiedRequest = { ...request, id: request.id ?? makeId() };
    if (source !== undefined) identified.source = source;
    return identified;
  }

  private write(request: IdentifiedRequest): string {
    const written = write(request, this.options.maxRequestBytes);
    if ('code' in written) throw BatchServiceRefusalError.of(written);
    return written.json;
  }

  private async createPart(
    operations: WrittenList,
    options: CallOptions | undefined,
  ): Promise<ICreateBatchOperationEntry[]> {
    const { createOperations } = RPC_PATTERNS;
    const { results } = await this.call<ICreateBatchOperationsResponse>(createOperations, operations.json, options);
    return results;
  }

  /** The operation when it is final, or its state when the poll ends or at the deadline. */
  private longPoll(id: string, deadline: number): Promise<IBatchOperation> {
    const attempt = (): Promise<IBatchOperation> => {
      const remaining = Math.max(0, Math.ceil(deadline - performance.now()));
      const timeoutMs = Math.min(remaining, LONG_POLL_MS);
      const answerWithinMs = Math.min(timeoutMs + this.options.call.timeoutMs, remaining + WAIT_GRACE_MS);
      const request: IWaitForOperationRequest = { id, timeoutMs };
      return this.connection.request(RPC_PATTERNS.waitForOperation, JSON.stringify(request), answerWithinMs);
    };
    return retrying({ retries: Infinity, deadline, signal: this.connection.closed }, attempt);
  }

  /**
   * Changes a state. `reached` are the states after a successful attempt whose answer was lost: the next attempt gets
   * the `refusal`.
   */
  private async change<Subject extends { status: string }>(
    pattern: string,
    { id, refusal, reached, read }: Change<Subject>,
    options: CallOptions | undefined,
  ): Promise<Subject> {
    let attempt = 0;
    try {
      return await this.attempts(options, (timeoutMs) => {
        attempt += 1;
        return this.connection.request<Subject>(pattern, JSON.stringify({ id }), timeoutMs);
      });
    } catch (error) {
      // An earlier attempt whose answer was lost may have done what is refused now.
      if (attempt === 1 || !isBatchServiceError(error, refusal)) throw error;
      const subject = await read();
      if (!reached.includes(subject.status)) throw error;
      return subject;
    }
  }

  private call<Answer>(pattern: string, json: string, options: CallOptions | undefined): Promise<Answer> {
    return this.attempts(options, (timeoutMs) => this.connection.request<Answer>(pattern, json, timeoutMs));
  }

  private attempts<T>(options: CallOptions = {}, attempt: (timeoutMs: number) => Promise<T>): Promise<T> {
    const { timeoutMs = this.options.call.timeoutMs, retries = this.options.call.retries } = options;
    // A caller that lets an attempt take this long also accepts a pause of this length.
    return retrying({ retries, longestWaitMs: timeoutMs, signal: this.connection.closed }, () => attempt(timeoutMs));
  }
}

interface Change<Subject extends { status: string }> {
  id: string;
  refusal: ErrorCode;
  reached: readonly Subject['status'][];
  read: () => Promise<Subject>;
}

/** For callers in JavaScript. In TypeScript the compiler checks this. */
function assertList(method: string, what: string, given: unknown): void {
  if (Array.isArray(given)) return;
  throw new BatchServiceRefusalError('INVALID_REQUEST', `${method} takes a list of ${what}, got ${kindOf(given)}`);
}

function kindOf(value: unknown): string {
  if (Array.isArray(value)) return 'a list';
  return value === null || value === undefined ? String(value) : `a value of type ${typeof value}`;
}

function notOneRequest(operations: number, maxRequestBytes: number): IServiceError {
  return {
    status: 'error',
    code: operations > MAX_OPERATIONS_PER_REQUEST ? 'TOO_MANY_OPERATIONS' : 'PAYLOAD_TOO_LARGE',
    message:
      `${operations} operations are too many for one plan: a request carries ${MAX_OPERATIONS_PER_REQUEST} at most, ` +
      `in no more than maxRequestBytes of this client (${maxRequestBytes})`,
    details: { operations, maxRequestBytes },
  };
}

/** Adds the requests to an error of `work`, so that the caller can repeat them with the same ids. */
async function withRequests<T>(requests: readonly IdentifiedRequest[], work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof BatchServiceError) error.requests = requests;
    throw error;
  }
}
