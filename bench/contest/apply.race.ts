import { bullmq } from '../controls/bullmq.js';
import { direct } from '../controls/direct.js';
import { graphileWorker } from '../controls/graphile-worker.js';
import { pgBoss } from '../controls/pg-boss.js';
import { rowByRow, rowByRowOnMany } from '../controls/row-by-row.js';
import { statusColumn } from '../controls/status-column.js';
import { serviceApply } from '../service/apply.js';
import type { Race } from './contest.js';

/** How fast waiting rows get into their table. */
export const applyRace: Race = {
  kind: 'race',
  name: 'apply',
  title: 'Plain inserts into one table: what waits in the queue gets into its table',
  contestants: [direct, serviceApply, statusColumn, pgBoss, graphileWorker, bullmq, rowByRowOnMany, rowByRow],
  countedInQuick: [direct, serviceApply, statusColumn, pgBoss],
  quickLacks: 'the statements of those who write row by row',
};
