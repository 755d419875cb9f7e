/**
 * A process that attacks: by REST, by RPC and events over RabbitMQ, and by REST to the process with every role, at the same time, each way
 * with one request after another. It is a process of its own, since making such requests would delay the callers whose answers are timed.
 */
import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { seededRandom, type Random } from '../support/random.js';
import { makeAttacks, type Attack } from './attacks.js';
import { overRabbitmq, overRest, type Way } from './ways.js';

export interface AttackerOrder {
  seed: number;
  restUrl: string;
  restKey: string;
  allUrl: string;
  allKey: string;
  rpcUrl: string;
  queue: string;
}

/** How often each attack was answered, and how, by the name of its way. */
export type AttackerReport = Record<string, Record<string, number>>;

/** Sets of requests that are made before the attack begins: making them takes time. */
const SETS = 2;
const PAUSE_MS = 20;

process.once('message', (order: AttackerOrder) => void attack(order));

async function attack(order: AttackerOrder): Promise<void> {
  const random = seededRandom(order.seed);
  const attacks = Array.from({ length: SETS }, () => makeAttacks(random)).flat();
  const ways = [
    overRest('rest', order.restUrl, order.restKey),
    await overRabbitmq(order.rpcUrl, order.queue),
    overRest('rest, every role', order.allUrl, order.allKey),
  ] as const;
  process.send?.('ready');
  await once(process, 'message');
  const stop = new AbortController();
  process.once('message', () => stop.abort());
  const report: AttackerReport = {};
  await Promise.all(ways.map((way, n) => loop(way, attacks, seededRandom(order.seed + n), stop.signal, report)));
  for (const way of ways) way.close();
  process.send?.(report, () => process.exit(0));
}

async function loop(
  way: Way,
  attacks: readonly Attack[],
  random: Random,
  stop: AbortSignal,
  report: AttackerReport,
): Promise<void> {
  const answers = (report[way.name] = {} as Record<string, number>);
  while (!stop.aborted) {
    const answer = await way.send(random.pick(attacks), random);
    answers[answer] = (answers[answer] ?? 0) + 1;
    await delay(PAUSE_MS);
  }
}
