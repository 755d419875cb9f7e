import type { Study } from '../contest/contest.js';
import { compareChunkSizes } from './rpc/chunk-sizes.js';
import { sweepLoad } from './rpc/load-sweep.js';

export const latencyStudy: Study = {
  kind: 'study',
  name: 'latency',
  title:
    'Load and latency: created → applied → notified, of single operations by RPC over RabbitMQ; and the size of chunks',
  quickLacks: 'all loads but 30 %, one process alone, and all sizes of chunks but 1000',
  async run(stage) {
    const load = await sweepLoad(stage);
    const chunks = await compareChunkSizes(stage);
    return {
      readings: [...load.readings, ...chunks.readings],
      series: [...(load.series ?? []), ...(chunks.series ?? [])],
    };
  },
};
