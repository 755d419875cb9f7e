import type { ICreateBatchOperationsResponse } from '../../../src/interfaces/rpc.js';
import type { Random } from '../../support/random.js';
import { toAnswerError, UnknownAnswerError, type Transport } from './transport.js';

const ATTEMPT_TIMEOUT_MS = 4000;

/** Plain HTTP, each request to any of the apis, as behind a balancer that knows nothing of their health. */
export function openRestTransport(urls: readonly string[], random: Random): Transport {
  const post = async (path: string, body: object): Promise<unknown> => {
    const response = await attempt(() =>
      fetch(`${random.pick(urls)}/api/v1/operations${path}`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(body),
        signal: AbortSignal.timeout(ATTEMPT_TIMEOUT_MS),
      }),
    );
    const answer = await attempt(() => response.json());
    if (response.ok) return answer;
    const { code = `HTTP ${response.status}`, detail = '' } = answer as { code?: string; detail?: string };
    throw toAnswerError(code, detail);
  };
  return {
    name: 'rest',
    async create(request) {
      await post('', request);
    },
    async createMany(operations) {
      const { results } = (await post('/bulk', { operations })) as ICreateBatchOperationsResponse;
      for (const result of results) if ('error' in result) throw toAnswerError(result.error.code, result.error.message);
    },
    close: () => Promise.resolve(),
  };
}

/** Whatever `fetch` fails with is the connection's fault, or the time is over. */
async function attempt<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const { cause, name } = error as Error;
    const code = cause instanceof Error && 'code' in cause ? String(cause.code) : name;
    throw new UnknownAnswerError(code, { cause: error });
  }
}
