import type { ReservationAnswer } from '../reservation-job.js';
import type { SeatRequest } from './requests.js';

/** What was asked and what was answered, for one event. */
export interface Outcome {
  seats: number;
  requests: readonly SeatRequest[];
  /** All answers of each request, by its id. */
  answers: ReadonlyMap<string, readonly ReservationAnswer[]>;
}

/** Answers what is wrong: a sentence for each rule that is broken. */
export function check({ seats, requests, answers }: Outcome): string[] {
  const faults: string[] = [];
  const undecided = requests.filter(({ id }) => answers.get(id)?.length !== 1);
  if (undecided.length > 0) faults.push(`${undecided.length} requests do not have exactly one answer`);

  const decided = requests.flatMap((request) =>
    (answers.get(request.id) ?? []).map((answer) => ({ ...request, ...answer })),
  );
  const reserved = decided.filter(({ answer }) => answer === 'reserved');
  const seatOf = new Map(reserved.map(({ userId, seat }) => [userId, seat]));
  const expected = Math.min(seats, new Set(requests.map(({ userId }) => userId)).size);
  if (reserved.length !== expected) faults.push(`${reserved.length} requests have a seat, and not ${expected}`);
  if (seatOf.size !== reserved.length) faults.push(`${reserved.length - seatOf.size} users have a second seat`);
  const given = new Set(reserved.map(({ seat }) => seat));
  if (given.size !== reserved.length) faults.push(`${reserved.length - given.size} seats are given twice`);
  for (const seat of given) if (!(seat! >= 1 && seat! <= seats)) faults.push(`There is no seat ${seat}`);

  for (const { id, userId, answer, seat } of decided) {
    const own = seatOf.get(userId);
    if (answer === 'already-reserved' && (own === undefined || own !== seat))
      faults.push(`${id} is told seat ${seat}, and its user has ${own}`);
    if (answer === 'sold-out' && own !== undefined)
      faults.push(`${id} is told that all is sold out, and its user has ${own}`);
    if (answer === 'unknown-event') faults.push(`${id} is told that the event is unknown`);
  }
  return faults;
}
