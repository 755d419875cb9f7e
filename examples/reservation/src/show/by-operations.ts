import type pg from 'pg';
import type { ReservationAnswer } from '../reservation-job.js';
import type { BatchService, Operation } from './batch-service.js';
import type { Run } from './by-consumers.js';
import type { SeatRequest } from './requests.js';
import { AT_ONCE, sendAll } from './send-all.js';

/** Sends all requests as operations to the Batch Service, waits until they are executed, and reads what became of them. */
export async function runByOperations(
  service: BatchService,
  database: pg.Pool,
  eventId: number,
  requests: readonly SeatRequest[],
): Promise<Run> {
  const startedAt = performance.now();
  const sentAgain = await sendAll(requests, ({ id, userId }) => service.ask(eventId, userId, id));
  // Operations on one table are executed in the order in which they were accepted. The last one accepted is one of these.
  await service.settled(requests.slice(-AT_ONCE).map(({ id }) => id));
  const ms = performance.now() - startedAt;

  const operations = new Map((await service.operations()).map((operation) => [operation.id, operation]));
  const seats = await readSeats(database, eventId);
  const answers = new Map<string, ReservationAnswer[]>();
  for (const { id, userId } of requests) {
    const answer = toAnswer(operations.get(id), seats.get(userId));
    if (answer !== undefined) answers.set(id, [answer]);
  }
  return { ms, sentAgain, answers };
}

/** The answer of a request, from the outcome of its operation and the seat of its user. `undefined`: it has none. */
function toAnswer(operation: Operation | undefined, seat: number | undefined): ReservationAnswer | undefined {
  if (operation?.status === 'completed') {
    return seat === undefined ? { answer: 'sold-out' } : { answer: 'reserved', seat };
  }
  // The user has asked before, and has what came of that.
  if (operation?.error?.code === 'UNIQUE_VIOLATION') {
    return seat === undefined ? { answer: 'sold-out' } : { answer: 'already-reserved', seat };
  }
  return undefined;
}

async function readSeats(database: pg.Pool, eventId: number): Promise<Map<number, number>> {
  const { rows } = await database.query<{ user_id: number; seat: number }>(
    `select user_id, seat::int
     from seats_by_order
     where event_id = $1`,
    [eventId],
  );
  return new Map(rows.map(({ user_id, seat }) => [user_id, seat]));
}
