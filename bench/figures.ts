import { applyRace } from './contest/apply.race.js';
import type { Figure } from './contest/contest.js';
import { messyRaces } from './contest/messy.race.js';
import { mixedRace } from './contest/mixed.race.js';
import { engineStudy } from './engine/engine.study.js';
import { enqueueFigures } from './service/enqueue.figures.js';
import { latencyStudy } from './service/latency.study.js';
import { memoryStudy } from './service/memory.study.js';
import type { ServerName } from './stage/servers.js';
import { backlogStudy } from './studies/backlog.study.js';
import { isolationStudy } from './studies/isolation.study.js';

export interface ListedFigure {
  figure: Figure;
  /** Servers that it needs besides PostgreSQL. */
  servers: readonly ServerName[];
}

/** All figures of `npm run bench`, in the order in which it measures them. */
export const FIGURES: readonly ListedFigure[] = [
  ...needing(['redis'], [applyRace, mixedRace, ...messyRaces]),
  ...needing([], [isolationStudy, backlogStudy, engineStudy]),
  ...needing(['rabbitmq', 'redis'], [...enqueueFigures, latencyStudy, memoryStudy]),
];

function needing(servers: readonly ServerName[], figures: readonly Figure[]): ListedFigure[] {
  return figures.map((figure) => ({ figure, servers }));
}
