import { CRASH, CRASH_ALONE } from './faults/inject-faults.js';
import type { ChaosResult } from './run-chaos.js';

/** Fewer lanes show nothing of what runs side by side. */
const LEAST_LANES = 3;

/** In what a run shows too little for "nothing was violated" to say anything. */
export function weaknessesOf({ lanes, resent, faults }: Pick<ChaosResult, 'lanes' | 'resent' | 'faults'>): string[] {
  const met = Object.values(faults).some((count) => count > 0);
  return [
    ...(lanes < LEAST_LANES ? [`operations were in ${lanes} lanes, not in ${LEAST_LANES} at least`] : []),
    ...(faults[CRASH] !== undefined && faults[CRASH_ALONE] === undefined
      ? ['no crash of PostgreSQL met events under way']
      : []),
    ...(met && resent === 0 ? ['no operation was sent again, so no fault met a request'] : []),
  ];
}
