import { ClientRMQ } from '@nestjs/microservices';
import { firstValueFrom } from 'rxjs';
import { v7 as uuid } from 'uuid';
import { BatchServiceClient, RPC_PATTERNS, type ICreateBatchOperationRequest } from '../../../src/client/index.js';
import { SEND_AT_ONCE } from '../../stage/send-at-once.js';

export interface Caller {
  call(request: ICreateBatchOperationRequest): Promise<unknown>;
  close(): Promise<void>;
}

export type OpenCaller = (url: string, queue: string) => Promise<Caller>;

/** A failed call must be seen, so it is not repeated. */
const ONCE = { retries: 0, timeoutMs: 60_000 };

export function openClient(url: string, queue: string): BatchServiceClient {
  return new BatchServiceClient({ transport: 'rmq', url, queue, ...ONCE });
}

export const publishedCaller: OpenCaller = async (url, queue) => {
  const client = openClient(url, queue);
  return { call: (request) => client.createOperation(request), close: () => client.close() };
};

/** NestJS' own client, as docs/wire-format.md describes the service. Each operation has an id, as callers are told to give it. */
export const nestCaller: OpenCaller = async (url, queue) => {
  // The service declares its queue.
  const options = { urls: [url], queue, noAssert: true, persistent: true, socketOptions: SEND_AT_ONCE };
  const proxy = await connectProxy(new ClientRMQ(options));
  return {
    call: (request) =>
      firstValueFrom(proxy.send<unknown>(RPC_PATTERNS.createOperation, { ...request, id: uuid() })).catch(toError),
    close: () => proxy.close(),
  };
};

/** A refusal comes as a plain object. */
function toError(refusal: unknown): never {
  throw refusal instanceof Error ? refusal : new Error(`The call failed: ${JSON.stringify(refusal)}`);
}

/** Connects before the first call, which would be slower otherwise. */
export async function connectProxy(proxy: ClientRMQ): Promise<ClientRMQ> {
  await proxy.connect();
  return proxy;
}
