import { applyRace } from './contest/apply.race.js';
import type { Figure } from './contest/contest.js';
import { messyRaces } from './contest/messy.race.js';
import { mixedRace } from './contest/mixed.race.js';
import { enqueueFigures } from './service/enqueue.figures.js';
import { latencyStudy } from './service/latency.study.js';
import { memoryStudy } from './service/memory.study.js';
import type { ServerName } from './stage/servers.js';
import { backlogStudy } from './studies/backlog.study.js';
import { isolationStudy } from './studies/isolation.study.js';

export interface ListedFigure {
  figure: Figure;
  /** Servers beside PostgreSQL that it needs. */
  servers: readonly ServerName[];
}

/** All that `npm run bench` can measure, in the order in which it does. */
export const FIGURES: readonly ListedFigure[] = [
  ...needing(['redis'], [applyRace, mixedRace, ...messyRaces]),
  ...needing([], [isolationStudy, backlogStudy]),
  ...needing(['rabbitmq', 'redis'], [...enqueueFigures, latencyStudy, memoryStudy]),
];

function needing(servers: readonly ServerName[], figures: readonly Figure[]): ListedFigure[] {
  return figures.map((figure) => ({ figure, servers }));
}
