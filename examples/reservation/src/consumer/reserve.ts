import type { EntityManager } from 'typeorm';
import type { ReservationAnswer, ReservationRequest } from '../reservation-job.js';

/** Decides a request, and writes the reservation and the answer in the transaction `tx`. */
export async function reserve(
  tx: EntityManager,
  requestId: string,
  request: ReservationRequest,
): Promise<ReservationAnswer> {
  const answer = await decide(tx, request);
  await tx.query(
    `insert into answers (request_id, event_id, user_id, answer, seat)
     values ($1, $2, $3, $4, $5)`,
    [requestId, request.eventId, request.userId, answer.answer, answer.seat],
  );
  return answer;
}

async function decide(tx: EntityManager, request: ReservationRequest): Promise<ReservationAnswer> {
  const event = await look(tx, request);
  if (event === undefined) return { answer: 'unknown-event' };
  if (event.own_seat !== null) return { answer: 'already-reserved', seat: event.own_seat };
  // No seat is ever given back, so this is final, and needs no lock.
  if (event.sold_out) return { answer: 'sold-out' };

  const seat = await takeSeat(tx, request);
  if (seat === undefined) return { answer: 'sold-out' };
  // If another request of this user is between the look and here, the unique key refuses this one. The seat goes back with the
  // transaction, and the next attempt of the job sees the other seat.
  await tx.query(
    `insert into reservations (event_id, seat, user_id)
     values ($1, $2, $3)`,
    [request.eventId, seat, request.userId],
  );
  return { answer: 'reserved', seat };
}

async function look(
  tx: EntityManager,
  { eventId, userId }: ReservationRequest,
): Promise<{ sold_out: boolean; own_seat: number | null } | undefined> {
  const [event] = await tx.query<{ sold_out: boolean; own_seat: number | null }[]>(
    `select taken >= seats as sold_out, seat as own_seat
     from events
     left join reservations on event_id = id and user_id = $2
     where id = $1`,
    [eventId, userId],
  );
  return event;
}

/** The update locks the event until the commit, so that two consumers never take the same seat. */
async function takeSeat(tx: EntityManager, { eventId }: ReservationRequest): Promise<number | undefined> {
  const [[event]] = await tx.query<[{ seat: number }[], number]>(
    `update events
     set taken = taken + 1
     where id = $1
       and taken < seats
     returning taken as seat`,
    [eventId],
  );
  return event?.seat;
}
