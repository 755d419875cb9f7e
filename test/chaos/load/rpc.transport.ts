import { BatchServiceClient, isBatchServiceError } from '../../../src/client/index.js';
import { isTransient } from '../../../src/client/client-errors.js';
import { toAnswerError, UnknownAnswerError, type Transport } from './transport.js';

/** One attempt; the writers repeat by themselves, to know of each. */
const ATTEMPT = { timeoutMs: 4000, retries: 0 };

/** The client of the service, through RabbitMQ. */
export function openRpcTransport(url: string, queue: string): Transport {
  const client = new BatchServiceClient({
    transport: 'rmq',
    url,
    queue,
    ...ATTEMPT,
    socketOptions: { reconnectTimeInSeconds: 0.2 },
  });
  return {
    name: 'rpc',
    create: (request) => attempt(() => client.createOperation(request)),
    createMany: (requests) =>
      attempt(async () => {
        for (const result of await client.createOperations(requests)) {
          if ('error' in result) throw toAnswerError(result.error.code, result.error.message);
        }
      }),
    emit: (request) => attempt(() => client.emitOperation(request)),
    close: () => client.close(),
  };
}

async function attempt(call: () => Promise<unknown>): Promise<void> {
  try {
    await call();
  } catch (error) {
    if (!isBatchServiceError(error)) throw error;
    if (isTransient(error)) throw new UnknownAnswerError(error.code, { cause: error });
    throw toAnswerError(error.code, error.message);
  }
}
