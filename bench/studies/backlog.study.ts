import { BACKLOG_DDL, measureBacklog, type BacklogScale } from '../../test/measure/backlog-runs.js';
import { openMeasuringDatabase } from '../../test/measure/measuring.js';
import { quantile } from '../../test/measure/statistics.js';
import type { Reading, Stage, Study, StudyResult } from '../contest/contest.js';
import { figure } from '../report/format.js';
import { applyRateAt } from './reading-names.js';

const FULL: BacklogScale = { small: 10_000, large: 1_000_000, windows: 12, warmUp: 3 };
/** Shows that the procedure works. Its readings have other names, so that no target is judged by them. */
const QUICK: BacklogScale = { small: 2000, large: 20_000, windows: 2, warmUp: 1 };

/** Repetitions are windows of one run: to fill the large queue takes much longer than to measure. */
export const backlogStudy: Study = {
  kind: 'study',
  name: 'backlog',
  title: 'How fast chunks are applied while a million operations wait, and how long a caller waits for an answer',
  quickLacks: `more than ${figure(QUICK.large)} pending`,
  async run(stage: Stage): Promise<StudyResult> {
    const scale: BacklogScale = { ...(stage.scale.quick ? QUICK : FULL), dist: stage.dist };
    const database = await openMeasuringDatabase(stage.database, BACKLOG_DDL);
    try {
      const { small, large, getOperationMs } = await measureBacklog(database, scale, stage.log);
      const rate = (pending: number, values: number[]): Reading => ({
        name: applyRateAt(pending),
        unit: 'operations/s',
        values,
      });
      return {
        readings: [
          rate(scale.small, small),
          rate(scale.large, large),
          { name: 'getOperation p50 while draining', unit: 'ms', values: [quantile(getOperationMs, 0.5)] },
          { name: 'getOperation p99 while draining', unit: 'ms', values: [quantile(getOperationMs, 0.99)] },
        ],
      };
    } finally {
      await database.close();
    }
  },
};
