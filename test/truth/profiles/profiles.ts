import { mixed, type Profile } from '../profile.js';
import { BARRIER_PROFILES } from './barriers.js';
import { CASCADE_PROFILES } from './cascades.js';
import { EQUALITY_PROFILES } from './equality.js';
import { INSERT_PROFILES } from './inserts.js';
import { FOLDING_PROFILES } from './folding.js';
import { LIMIT_PROFILES } from './limits.js';
import { REFERENCE_PROFILES } from './references.js';
import { ROW_PROFILES } from './rows.js';
import { SEQUENCE_PROFILES } from './sequences.js';
import { UNIQUE_PROFILES } from './unique.js';

const DEEP = { length: { min: 10, max: 60 }, expected: { perGroup: 1.05 } };

const CONCENTRATED: readonly Profile[] = [
  ...ROW_PROFILES,
  ...FOLDING_PROFILES,
  ...UNIQUE_PROFILES,
  ...REFERENCE_PROFILES,
  ...CASCADE_PROFILES,
  ...SEQUENCE_PROFILES,
  ...EQUALITY_PROFILES,
  ...BARRIER_PROFILES,
  ...INSERT_PROFILES,
];

/** A trigger anywhere ties all tables together, hence two of them. */
const UNTIED = CONCENTRATED.filter(({ name }) => name !== 'triggers');

export const PROFILES: readonly Profile[] = [
  ...CONCENTRATED,
  ...LIMIT_PROFILES,
  mixed('everything-untied', UNTIED, DEEP),
  mixed('everything', CONCENTRATED, DEEP),
];

/** @throws Error that lists the names there are */
export function profileNamed(name: string): Profile {
  const profile = PROFILES.find((one) => one.name === name);
  if (profile !== undefined) return profile;
  throw new Error(`There is no profile ${name}; there are ${PROFILES.map((one) => one.name).join(', ')}`);
}
