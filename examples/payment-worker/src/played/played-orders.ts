import type { Behaviour } from './played-provider.js';

/** An order of the run, and what the provider does with its requests. */
export interface PlayedOrder {
  id: string;
  shows: string;
  behaviour: (request: number) => Behaviour;
  /** How often it is added to the queue; default 1. */
  added?: number;
  expected: { status: string; charges: number };
}

const CHARGED = { status: 'charged', charges: 1 };
const always = (behaviour: Behaviour) => () => behaviour;

export const KILLED = 'order-6';

export const ORDERS: readonly PlayedOrder[] = [
  { id: 'order-1', shows: 'charged at once', behaviour: always('charge'), expected: CHARGED },
  { id: 'order-2', shows: 'added three times', behaviour: always('charge'), added: 3, expected: CHARGED },
  {
    id: 'order-3',
    shows: '503 twice, then charged',
    behaviour: (request) => (request <= 2 ? 'unavailable' : 'charge'),
    expected: CHARGED,
  },
  {
    id: 'order-4',
    shows: 'charged, but the answer never came',
    behaviour: (request) => (request === 1 ? 'charge-silently' : 'charge'),
    expected: CHARGED,
  },
  { id: 'order-5', shows: 'declined', behaviour: always('decline'), expected: { status: 'declined', charges: 0 } },
  {
    id: KILLED,
    shows: 'charged, and the worker killed before it knew',
    behaviour: (request) => (request === 1 ? 'charge-silently' : 'charge'),
    expected: CHARGED,
  },
  {
    id: 'order-7',
    shows: '503 at every attempt',
    behaviour: always('unavailable'),
    expected: { status: 'failed', charges: 0 },
  },
];
