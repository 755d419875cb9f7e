import { z } from 'zod';

export const RESERVATION_QUEUE = 'reservation-queue';
export const RESERVE = 'reserve';

/** What the producer puts into the queue. The id of the request is the target id of the job. */
export const reservationRequest = z.object({
  eventId: z.int().positive(),
  userId: z.int().positive(),
});
export type ReservationRequest = z.infer<typeof reservationRequest>;

/** What becomes of a request. `seat` is absent if the user has none. */
export interface ReservationAnswer {
  answer: 'reserved' | 'already-reserved' | 'sold-out' | 'unknown-event';
  seat?: number;
}
