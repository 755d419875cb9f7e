import { directMixed } from '../controls/direct-mixed.js';
import { serviceMixed } from '../service/mixed.js';
import type { Race } from './contest.js';

/** How fast shuffled operations of all kinds get into their tables. */
export const mixedRace: Race = {
  kind: 'race',
  name: 'mixed',
  title: 'Five kinds of operations on eight tables, shuffled: what waits in the queue gets into its tables',
  contestants: [directMixed, serviceMixed],
  quickLacks: 'statements',
};
