import type { CellResult, RaceResult } from '../contest/contest.js';

/** Controls are compared with the service, not it with them. */
export const isService = (contestant: string): boolean => contestant.startsWith('Batch Service');

/** What the throughput of all others is given as a multiple of: the limit where it took part, else the first control. */
export const referenceOf = ({ cells }: RaceResult): CellResult | undefined =>
  cells.find(({ contestant }) => contestant === 'direct') ?? cells.find(({ contestant }) => !isService(contestant));

export const serviceOf = ({ cells }: RaceResult): CellResult | undefined =>
  cells.find(({ contestant }) => isService(contestant));
