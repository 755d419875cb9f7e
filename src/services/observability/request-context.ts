import { AsyncLocalStorage } from 'node:async_hooks';
import { v7 as uuid } from 'uuid';

/** The header of HTTP and AMQP that contains a request's id, also in the answer. */
export const REQUEST_ID_HEADER = 'x-request-id';

const SANE_REQUEST_ID = /^[\w.:/+=-]{1,128}$/;

interface RequestContext {
  requestId: string;
}

const storage = new AsyncLocalStorage<RequestContext>();

/** Runs `work` as part of a request: every line that it logs, now or later, has the id. */
export function runInRequest<T>(requestId: string, work: () => T): T {
  return storage.run({ requestId }, work);
}

/** The id of the request for which the code runs. Undefined outside a request. */
export function currentRequestId(): string | undefined {
  return storage.getStore()?.requestId;
}

/**
 * The id that a caller sends, if it is valid, or else a new one. An id is written to logs and answers unchanged, so
 * only a short word is accepted.
 */
export function requestIdFrom(offered: unknown): string {
  const text = Buffer.isBuffer(offered) ? offered.toString() : offered;
  return typeof text === 'string' && SANE_REQUEST_ID.test(text) ? text : uuid();
}
