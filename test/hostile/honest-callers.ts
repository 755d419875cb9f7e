import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { BatchServiceClient, isBatchServiceError } from '../../src/client/index.js';
import { userOf } from '../../src/services/rabbitmq/sender-of.js';
import type { ICreateBatchOperationRequest } from '../../src/interfaces/operation.js';

export interface HonestAddresses {
  restUrl: string;
  restKey: string;
  /** Of the process with every role. */
  allUrl: string;
  allKey: string;
  rpcUrl: string;
  queue: string;
}

/** What callers met by one way. */
export interface HonestTally {
  answerMs: number[];
  /** Ids of operations that the service has confirmed. */
  accepted: string[];
  /** Codes of refusals and failures; there should be none. */
  failures: Record<string, number>;
}

export type HonestWay = 'rest' | 'rabbitmq' | 'rest, every role';

/** Callers that do what the service is made for: one small operation, its answer, a pause, the next one. */
export interface HonestCallers {
  /** @returns what they met meanwhile */
  during(ms: number): Promise<Record<HonestWay, HonestTally>>;
  close(): Promise<void>;
}

const SOURCE = 'honest';
const CALLERS_OF_A_WAY = 2;
const PAUSE_MS = 20;
const TIMEOUT_MS = 30_000;

export function honestCallers({ restUrl, restKey, allUrl, allKey, rpcUrl, queue }: HonestAddresses): HonestCallers {
  const attempt = { timeoutMs: TIMEOUT_MS, retries: 0, source: SOURCE };
  // Who tells their user have a line of their own; the attacker does not.
  const rabbitmq = new BatchServiceClient({ transport: 'rmq', url: rpcUrl, queue, userId: userOf(rpcUrl), ...attempt });
  const ways: Record<HonestWay, (operation: ICreateBatchOperationRequest) => Promise<unknown>> = {
    rest: (operation) => post(restUrl, restKey, { ...operation, source: SOURCE }),
    rabbitmq: (operation) => rabbitmq.createOperation(operation),
    'rest, every role': (operation) => post(allUrl, allKey, { ...operation, source: SOURCE }),
  };
  return {
    async during(ms) {
      const until = performance.now() + ms;
      const tallies = { rest: newTally(), rabbitmq: newTally(), 'rest, every role': newTally() };
      const loops = (Object.keys(ways) as HonestWay[]).flatMap((way) =>
        Array.from({ length: CALLERS_OF_A_WAY }, () => loop(ways[way], until, tallies[way])),
      );
      await Promise.all(loops);
      return tallies;
    },
    close: () => rabbitmq.close(),
  };
}

const newTally = (): HonestTally => ({ answerMs: [], accepted: [], failures: {} });

async function loop(
  send: (operation: ICreateBatchOperationRequest) => Promise<unknown>,
  until: number,
  tally: HonestTally,
): Promise<void> {
  for (let n = 0; performance.now() < until; n += 1) {
    const operation = operationOf(n);
    const startedAt = performance.now();
    try {
      await send(operation);
      tally.answerMs.push(performance.now() - startedAt);
      tally.accepted.push(operation.id);
    } catch (error) {
      const code = isBatchServiceError(error) ? error.code : String((error as Error).message);
      tally.failures[code] = (tally.failures[code] ?? 0) + 1;
    }
    await delay(PAUSE_MS);
  }
}

function operationOf(n: number): ICreateBatchOperationRequest & { id: string } {
  const id = randomUUID();
  return n % 2 === 0
    ? { id, operationType: 'insert', target: 'orders', values: { id, n } }
    : { id, operationType: 'increment', target: 'counters', key: { id: 1 + (n % 10) }, values: { n: 1 } };
}

async function post(restUrl: string, apiKey: string, operation: object): Promise<void> {
  const response = await fetch(`${restUrl}/api/v1/operations`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'x-api-key': apiKey },
    body: JSON.stringify(operation),
    signal: AbortSignal.timeout(TIMEOUT_MS),
  });
  const answer = (await response.json()) as { code?: string };
  if (!response.ok) throw new Error(answer.code ?? `HTTP ${response.status}`);
}
