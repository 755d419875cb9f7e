import { Agent, request as httpRequest, type IncomingMessage } from 'node:http';
import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { v7 as uuid } from 'uuid';
import { BatchServiceClient, isBatchServiceError } from '../../../src/client/index.js';
import type { ICreateBatchOperationRequest } from '../../../src/interfaces/operation.js';
import type { ICreateBatchOperationsResponse } from '../../../src/interfaces/rpc.js';

export type Request = ICreateBatchOperationRequest & { id: string };

/** Sends operations once, and fails with an `Unanswered` where no answer came. */
export type Send = (operations: Request[]) => Promise<ICreateBatchOperationsResponse['results'] | Refused>;

/** The request was refused as a whole. */
export class Refused {
  constructor(
    readonly code: string,
    /** Whether it says when to come back. */
    readonly tellsWhen: boolean,
  ) {}
}

const COUNTERS = 1000;
/** With more the sender itself, and no service, would be what is measured. */
const MOST_UNDER_WAY = 3000;
const TICK_MS = 5;

/** One in two is an increment, which would show being applied twice; the other one a row of its own, which would show being lost. */
export function makeOperations(count: number): Request[] {
  return Array.from({ length: count }, (_, n) => (n % 2 === 0 ? insertion(uuid()) : increment(uuid())));
}

const insertion = (id: string): Request => ({ id, operationType: 'insert', target: 'ledger', values: { id } });

const increment = (id: string): Request => ({
  id,
  operationType: 'increment',
  target: 'counters',
  key: { id: Math.floor(Math.random() * COUNTERS) },
  values: { n: 1 },
});

export const SCHEMA = `
  create table ledger (id uuid primary key);
  create table counters (id int primary key, n bigint not null);
  insert into counters select g, 0 from generate_series(0, ${COUNTERS - 1}) g`;

export function overRest(port: number): { send: Send; close(): void } {
  const agent = new Agent({ keepAlive: true, maxSockets: 1000 });
  const send: Send = async (operations) => {
    const body = JSON.stringify({ operations });
    const headers = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) };
    const options = { host: '127.0.0.1', port, path: '/api/v1/operations/bulk', method: 'POST', agent, headers };
    const sent = httpRequest(options);
    const answered = once(sent, 'response') as Promise<[IncomingMessage]>;
    sent.end(body);
    const [response] = await answered;
    let text = '';
    for await (const part of response) text += String(part);
    if (response.statusCode === 200) return (JSON.parse(text) as ICreateBatchOperationsResponse).results;
    const { code } = JSON.parse(text) as { code: string };
    return new Refused(code, response.headers['retry-after'] !== undefined);
  };
  return { send, close: () => agent.destroy() };
}

export function overRpc(port: number): { send: Send; close(): Promise<void> } {
  const client = new BatchServiceClient({ transport: 'tcp', port, timeoutMs: 60_000, retries: 0 });
  const send: Send = async (operations) => {
    try {
      return await client.createOperations(operations);
    } catch (error) {
      if (!isBatchServiceError(error) || error.code === 'TIMEOUT' || error.code === 'UNAVAILABLE') throw error;
      return new Refused(error.code, error.details?.retryAfterMs !== undefined);
    }
  };
  return { send, close: () => client.close() };
}

export interface Tally {
  /** Operations. */
  offered: number;
  acknowledged: string[];
  refusedByCode: Map<string, number>;
  /** Refusals that do not say when to come back. */
  silent: number;
  /** No answer came: they may be stored or not. By reason. */
  unanswered: Map<string, number>;
  /** Requests that were due and not sent, because too many had no answer yet. */
  heldBack: number;
  answerMs: number[];
}

export const newTally = (): Tally => ({
  offered: 0,
  acknowledged: [],
  refusedByCode: new Map(),
  silent: 0,
  unanswered: new Map(),
  heldBack: 0,
  answerMs: [],
});

export async function sendOne(send: Send, size: number, tally: Tally): Promise<void> {
  const operations = makeOperations(size);
  tally.offered += size;
  const startedAt = performance.now();
  try {
    const answer = await send(operations);
    tally.answerMs.push(performance.now() - startedAt);
    if (answer instanceof Refused) {
      refuse(tally, answer.code, size);
      if (!answer.tellsWhen) tally.silent += 1;
      return;
    }
    answer.forEach((entry, n) => {
      if ('error' in entry) refuse(tally, entry.error.code, 1);
      else tally.acknowledged.push(operations[n]!.id);
    });
  } catch (error) {
    const reason = (error as NodeJS.ErrnoException).code ?? String(error);
    tally.unanswered.set(reason, (tally.unanswered.get(reason) ?? 0) + size);
  }
}

function refuse(tally: Tally, code: string, count: number): void {
  tally.refusedByCode.set(code, (tally.refusedByCode.get(code) ?? 0) + count);
}

/** As fast as answers come, for so long. */
export async function closedLoop(send: Send, loops: number, size: number, ms: number, tally: Tally): Promise<void> {
  const until = performance.now() + ms;
  const loop = async (): Promise<void> => {
    while (performance.now() < until) await sendOne(send, size, tally);
  };
  await Promise.all(Array.from({ length: loops }, loop));
}

/** So many operations a second, whatever becomes of them; by turns over each way in. Resolves when all have an end. */
export async function openLoop(ways: Send[], perSecond: number, size: number, ms: number, tally: Tally): Promise<void> {
  const startedAt = performance.now();
  const underWay = new Set<Promise<void>>();
  let due = 0;
  for (let elapsed = 0; elapsed < ms; elapsed = performance.now() - startedAt) {
    for (; due < (elapsed / 1000) * (perSecond / size); due += 1) {
      if (underWay.size >= MOST_UNDER_WAY) {
        tally.heldBack += 1;
        continue;
      }
      const sent = sendOne(ways[due % ways.length]!, size, tally).finally(() => underWay.delete(sent));
      underWay.add(sent);
    }
    await delay(TICK_MS);
  }
  await Promise.all(underWay);
}
