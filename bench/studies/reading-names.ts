import { figure } from '../report/format.js';

/** Names of readings by which targets are judged: one place for the study that takes them and the judge that looks for them. */

export const applyRateAt = (pending: number): string => `apply rate at ${figure(pending)} pending`;

export type IsolationScope = 'whole chunk' | 'executor alone';

/** Begins the names of what `bad` in 1000 cost against none, one for each way of being bad. */
export const isolationAgainstClean = (bad: number, scope: IsolationScope): string =>
  `isolation k=${bad} / clean, ${scope}`;

/** Begins the names of what it costs to isolate when all are bad, against a savepoint for each row. */
export const ISOLATION_AGAINST_SAVEPOINTS = 'isolation all bad / savepoint per row';
