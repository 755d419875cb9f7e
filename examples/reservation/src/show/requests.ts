import { randomUUID } from 'node:crypto';

/** A request as the load sends it. */
export interface SeatRequest {
  id: string;
  userId: number;
}

/** `count` requests of users that are drawn at random, so that many ask twice, and some of them early. */
export function drawRequests(count: number): SeatRequest[] {
  const users = Math.ceil(count * 0.6);
  return Array.from({ length: count }, () => ({ id: randomUUID(), userId: 1 + Math.floor(Math.random() * users) }));
}
