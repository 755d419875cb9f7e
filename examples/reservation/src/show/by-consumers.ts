import { setTimeout as delay } from 'node:timers/promises';
import type { ReservationAnswer } from '../reservation-job.js';
import type { QueueStateDto } from '../producer/reservation.dto.js';
import type { Producer } from './producer.js';
import type { SeatRequest } from './requests.js';
import { sendAll } from './send-all.js';

const LOOK_MS = 50;
const STANDSTILL_MS = 120_000;

/** How a load ended. */
export interface Run {
  /** From the first request until the last one is decided and the queue is empty. */
  ms: number;
  /** Requests that were answered with 503 and sent again. */
  sentAgain: number;
  answers: Map<string, ReservationAnswer[]>;
}

/** Sends all requests to the producer, waits until the consumers have decided them, and reads the answers. */
export async function runByConsumers(
  producer: Producer,
  eventId: number,
  requests: readonly SeatRequest[],
  onAccepted?: (count: number) => void,
): Promise<Run> {
  const startedAt = performance.now();
  const sentAgain = await sendAll(requests, ({ id, userId }) => producer.ask(eventId, userId, id), onAccepted);
  await decided(producer, eventId, requests.length);
  const ms = performance.now() - startedAt;
  return { ms, sentAgain, answers: await readAnswers(producer, eventId, requests) };
}

/** @throws when nothing has changed for two minutes */
async function decided(producer: Producer, eventId: number, count: number): Promise<void> {
  let seen = '';
  let changedAt = performance.now();
  for (;;) {
    const { events, queue } = await producer.state();
    const answered = events.find((event) => event.eventId === eventId)?.answered;
    if (answered === count && queue !== null && isEmpty(queue)) return;
    const now = JSON.stringify([answered, queue]);
    if (now !== seen) [seen, changedAt] = [now, performance.now()];
    if (performance.now() - changedAt > STANDSTILL_MS) {
      throw new Error(`${answered} of ${count} requests are decided, in the queue are ${JSON.stringify(queue)}`);
    }
    await delay(LOOK_MS);
  }
}

const isEmpty = ({ waiting, active, delayed, failed }: QueueStateDto): boolean =>
  waiting + active + delayed + failed === 0;

async function readAnswers(
  producer: Producer,
  eventId: number,
  requests: readonly SeatRequest[],
): Promise<Map<string, ReservationAnswer[]>> {
  const answers = new Map<string, ReservationAnswer[]>();
  const users = [...new Set(requests.map(({ userId }) => userId))];
  await sendAll(users, async (userId) => {
    for (const { request, ...answer } of (await producer.ofUser(eventId, userId)).answers) {
      answers.set(request, [...(answers.get(request) ?? []), answer]);
    }
    return 200;
  });
  return answers;
}
