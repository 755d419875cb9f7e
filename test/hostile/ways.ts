import { randomUUID } from 'node:crypto';
import { connect, type ConfirmChannel, type ConsumeMessage } from 'amqplib';
import type { Random } from '../support/random.js';
import { RPC_PATTERNS } from '../../src/interfaces/rpc.js';
import type { Attack, Demand } from './attacks.js';

/** A way to the service. What became of a request is told as a word: a code, or that there was no answer. */
export interface Way {
  readonly name: string;
  /** Never rejects. */
  send(attack: Attack, random: Random): Promise<string>;
  close(): void;
}

const ANSWER_TIMEOUT_MS = 60_000;
/** An id that nothing has. */
const NOBODY = '00000000-0000-4000-8000-000000000000';

const PATHS: Record<Exclude<Demand, 'get'>, string> = { create: '', 'create many': '/bulk', plan: '/plan' };
const PATTERNS: Record<Demand, string> = {
  create: RPC_PATTERNS.createOperation,
  'create many': RPC_PATTERNS.createOperations,
  plan: RPC_PATTERNS.planOperations,
  get: RPC_PATTERNS.getOperation,
};

export function overRest(name: string, url: string, apiKey: string): Way {
  const operations = `${url}/api/v1/operations`;
  const request = async (path: string, options: RequestInit): Promise<string> => {
    const headers = { 'x-api-key': apiKey, ...options.headers };
    const signal = AbortSignal.timeout(ANSWER_TIMEOUT_MS);
    const response = await fetch(`${operations}${path}`, { ...options, headers, signal });
    const answer = await response.text();
    return response.ok ? 'answered' : (codeIn(answer) ?? `HTTP ${response.status}`);
  };
  /** What only HTTP has. */
  const special: readonly (() => Promise<string>)[] = [
    () => request(`/${'%41'.repeat(4000)}`, {}),
    () => request(`?${'target=a&'.repeat(1500)}`, {}),
    () => request(`?source=${'://'.repeat(4000)}`, {}),
    () => request('', { headers: { 'x-request-id': 'x'.repeat(8000), cookie: 'a.'.repeat(3000) } }),
    () => request(`/${NOBODY}`, { method: 'DELETE' }),
    async () => {
      const many = Array.from({ length: 40 }, () => request(`/${NOBODY}?wait=200`, {}));
      return (await Promise.all(many))[0]!;
    },
  ];
  return {
    name,
    send: (attack, random) =>
      told(() => {
        if (random.integer(0, 9) === 0) return random.pick(special)();
        if (attack.demand === 'get') {
          const { id } = JSON.parse(attack.body) as { id: string };
          return request(`/${encodeURIComponent(id.slice(0, 4000))}`, {});
        }
        const headers = { 'content-type': 'application/json' };
        return request(PATHS[attack.demand], { method: 'POST', headers, body: attack.body });
      }),
    close: () => undefined,
  };
}

/** Requests with answers and events by turns; some with headers that nobody wants to read. */
export async function overRabbitmq(url: string, queue: string): Promise<Way> {
  const model = await connect(url);
  model.on('error', () => undefined);
  const channel: ConfirmChannel = await model.createConfirmChannel();
  channel.on('error', () => undefined);
  const waiting = new Map<string, (message: ConsumeMessage) => void>();
  await channel.consume(
    'amq.rabbitmq.reply-to',
    (message) => message !== null && waiting.get(String(message.properties.correlationId))?.(message),
    { noAck: true },
  );
  const publish = async (body: string, options: object): Promise<void> => {
    channel.sendToQueue(queue, Buffer.from(body), options);
    await channel.waitForConfirms();
  };
  const call = async (attack: Attack): Promise<string> => {
    const correlationId = randomUUID();
    const answer = withDeadline(new Promise<ConsumeMessage>((resolve) => waiting.set(correlationId, resolve)));
    await publish(packetOf(attack, randomUUID()), { correlationId, replyTo: 'amq.rabbitmq.reply-to' });
    const { content } = await answer.finally(() => waiting.delete(correlationId));
    return codeIn(content.toString('utf8', 0, 2000)) ?? 'answered';
  };
  const emit = async (attack: Attack, random: Random): Promise<string> => {
    const headers = random.integer(0, 3) === 0 ? { a: 'x'.repeat(50_000), deep: deepTable(500) } : {};
    await publish(packetOf(attack), { messageId: randomUUID(), headers });
    // Answered when the event before it is over: the next one is not to be sent before.
    await call({ name: 'the end of an event', demand: 'create', body: '{}' });
    return 'published';
  };
  return {
    name: 'rabbitmq',
    send: (attack, random) => told(() => (random.integer(0, 1) === 0 ? call(attack) : emit(attack, random))),
    close: () => void model.close().catch(() => undefined),
  };
}

function packetOf({ demand, body }: Attack, id?: string): string {
  const head = JSON.stringify({ pattern: PATTERNS[demand], id });
  return `${head.slice(0, -1)},"data":${body}}`;
}

function codeIn(answer: string): string | undefined {
  return /"code":"([A-Z_]+)"/.exec(answer.slice(0, 2000))?.[1];
}

function deepTable(depth: number): object {
  let table: object = {};
  for (let n = 0; n < depth; n += 1) table = { a: table };
  return table;
}

async function told(work: () => Promise<string>): Promise<string> {
  try {
    return await work();
  } catch (error) {
    const { cause, message } = error as Error;
    return `no answer: ${(cause as NodeJS.ErrnoException | undefined)?.code ?? message}`;
  }
}

function withDeadline<T>(promise: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const deadline = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`none within ${ANSWER_TIMEOUT_MS} ms`)), ANSWER_TIMEOUT_MS);
  });
  return Promise.race([promise, deadline]).finally(() => clearTimeout(timer));
}
