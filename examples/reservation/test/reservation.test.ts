import { afterAll, beforeAll, expect, it } from 'vitest';
import { createTestDatabase, type TestDatabase } from '../../../test/support/database.js';
import { startExampleProgram } from '../../../test/support/example.js';
import type { ReservationAnswer } from '../src/reservation-job.js';
import { check } from '../src/show/check.js';

const REQUESTS = Number(process.env.RESERVATION_REQUESTS ?? 10_000);
const SEATS = Number(process.env.RESERVATION_SEATS ?? 500);
const EVENT_WITH_FAULTS = 3;

let database: TestDatabase;
beforeAll(async () => {
  database = await createTestDatabase({ migrated: false });
});
afterAll(() => database.drop());

it(
  `${REQUESTS} requests get ${SEATS} seats and each one answer, while two consumers and Redis are killed`,
  { timeout: 600_000 },
  async () => {
    const show = startExampleProgram('reservation', 'main', {
      ...database.environment,
      RESERVATION_REQUESTS: String(REQUESTS),
      RESERVATION_SEATS: String(SEATS),
    });
    try {
      expect(await show.exited, show.output).toBe(0);
    } finally {
      await show.end();
    }
    expect(show.output).toMatch(/consumer 1 was killed with -9 with [1-9]\d* jobs in hand/);
    expect(show.output).toMatch(/consumer 2 was killed with -9 with [1-9]\d* jobs in hand/);
    expect(show.output).toContain('Redis was killed with -9, and started again');

    // Counted here once more, from the tables, whatever the program says.
    const { rows } = await database.client.query(
      `select count(*)::int as answers,
              count(distinct request_id)::int as requests,
              count(*) filter (where answer = 'reserved')::int as reserved,
              count(*) filter (where answer not in ('reserved', 'already-reserved', 'sold-out'))::int as others,
              (select count(distinct seat)::int from reservations where event_id = $1) as seats,
              (select count(distinct user_id)::int from reservations where event_id = $1) as users,
              (select taken from events where id = $1)
       from answers
       where event_id = $1`,
      [EVENT_WITH_FAULTS],
    );
    expect(rows).toEqual([
      { answers: REQUESTS, requests: REQUESTS, reserved: SEATS, others: 0, seats: SEATS, users: SEATS, taken: SEATS },
    ]);
    const ordered = await database.client.query(
      `select count(*)::int as seats, count(distinct user_id)::int as users, max(seat)::int as last
       from seats_by_order
       where event_id = 2`,
    );
    expect(ordered.rows).toEqual([{ seats: SEATS, users: SEATS, last: SEATS }]);
  },
);

it.each<[string, Record<string, ReservationAnswer[]>, RegExp]>([
  ['a request without an answer', { a: [{ answer: 'reserved', seat: 1 }], b: [] }, /^1 requests do not have exactly/],
  ['a user with two seats', { a: [{ answer: 'reserved', seat: 1 }], b: [{ answer: 'reserved', seat: 2 }] }, /second/],
  ['too few seats', { a: [{ answer: 'sold-out' }], b: [{ answer: 'sold-out' }] }, /^0 requests have a seat, and not 1/],
  [
    'a wrong seat in an answer',
    { a: [{ answer: 'reserved', seat: 1 }], b: [{ answer: 'already-reserved', seat: 2 }] },
    /is told seat 2/,
  ],
])('the check of the answers finds %s', (_, answers, fault) => {
  const requests = [
    { id: 'a', userId: 1 },
    { id: 'b', userId: 1 },
  ];
  const faults = check({ seats: 2, requests, answers: new Map(Object.entries(answers)) });
  expect(
    faults.some((each) => fault.test(each)),
    faults.join('\n'),
  ).toBe(true);
});
