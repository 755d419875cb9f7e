import { AsyncLocalStorage } from 'node:async_hooks';
import { v7 as uuid } from 'uuid';

/** The header of HTTP and of AMQP that carries a request's id, and names it in the answer. */
export const REQUEST_ID_HEADER = 'x-request-id';

const SANE_REQUEST_ID = /^[\w.:/+=-]{1,128}$/;

interface RequestContext {
  requestId: string;
}

const storage = new AsyncLocalStorage<RequestContext>();

/** Runs `work` as part of a request: every line that it logs, now or later, carries the id. */
export function runInRequest<T>(requestId: string, work: () => T): T {
  return storage.run({ requestId }, work);
}

/** The id of the request on whose behalf the code runs; undefined outside one. */
export function currentRequestId(): string | undefined {
  return storage.getStore()?.requestId;
}

/**
 * The id that a caller offers, if it is one, else a new one. An id goes into logs and answers as it is, so that anything
 * but a short word is not accepted.
 */
export function requestIdFrom(offered: unknown): string {
  const text = Buffer.isBuffer(offered) ? offered.toString() : offered;
  return typeof text === 'string' && SANE_REQUEST_ID.test(text) ? text : uuid();
}
