import type { Study } from '../contest/contest.js';
import { figure } from '../report/format.js';
import { measureBacklogMemory, QUICK_PENDING } from './rpc/backlog-memory.js';
import { soak } from './rpc/soak.js';

export const memoryStudy: Study = {
  kind: 'study',
  name: 'memory',
  title:
    'Memory: most that api and worker take with 100 000 operations pending; with --soak: whether it stays so under load',
  quickLacks: `more than ${figure(QUICK_PENDING)} pending`,
  async run(stage) {
    const { soakMinutes } = stage.scale;
    const readings = await measureBacklogMemory(stage);
    if (soakMinutes === 0) return { readings };
    const soaked = await soak(stage, soakMinutes);
    return { readings: [...readings, ...soaked.readings], series: soaked.series };
  },
};
