import { messyRowByRow } from '../controls/messy-row-by-row.js';
import { serviceMessy } from '../service/messy.js';
import type { Race } from './contest.js';

interface MessyRace extends Pick<Race, 'name' | 'title'> {
  /** The share of operations that PostgreSQL refuses, from 0 to 1. */
  bad: number;
  /** The delay that the network adds to each round trip to the database. */
  delayMs?: number;
  /** Fewer than in other races, where each one takes a round trip. */
  operations?: number;
}

const messyRace = ({ bad, delayMs = 0, ...race }: MessyRace): Race => ({
  kind: 'race',
  ...race,
  contestants: [messyRowByRow(bad, delayMs), serviceMessy(bad, delayMs)],
  quickLacks: 'statements',
});

/** Data as people have it: tables that refer to one another, and operations that are refused for many reasons. */
export const messyRaces: readonly Race[] = [
  messyRace({
    name: 'messy-2',
    title: 'Five kinds on eight tables that refer to one another, 2 % refused for seven reasons',
    bad: 0.02,
  }),
  messyRace({ name: 'messy-12', title: 'The same, 12 % refused', bad: 0.12 }),
  messyRace({
    name: 'messy-1ms',
    title: 'The same, 2 % refused, the database 1 ms away',
    bad: 0.02,
    delayMs: 1,
    operations: 5000,
  }),
  messyRace({
    name: 'messy-10ms',
    title: 'The same, 2 % refused, the database 10 ms away',
    bad: 0.02,
    delayMs: 10,
    operations: 2000,
  }),
];
