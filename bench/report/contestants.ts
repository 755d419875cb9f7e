import type { CellResult, RaceResult } from '../contest/contest.js';

/** Controls are compared with the service, not the other way round. */
export const isService = (contestant: string): boolean => contestant.startsWith('Batch Service');

/** The reference for the throughput of all others: the limit if it took part, else the first control. */
export const referenceOf = ({ cells }: RaceResult): CellResult | undefined =>
  cells.find(({ contestant }) => contestant === 'direct') ?? cells.find(({ contestant }) => !isService(contestant));

export const serviceOf = ({ cells }: RaceResult): CellResult | undefined =>
  cells.find(({ contestant }) => isService(contestant));
