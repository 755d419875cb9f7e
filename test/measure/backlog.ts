/**
 * What a million waiting operations change, for `npm run measure:backlog`: how fast chunks are applied against a queue of ten
 * thousand, and how long `getOperation` takes meanwhile.
 */
import { BACKLOG_DDL, measureBacklog, type BacklogScale } from './backlog-runs.js';
import {
  judge,
  median,
  numberOption,
  quantile,
  say,
  withMeasuringDatabase,
  type MeasuringDatabase,
} from './measuring.js';

const SCALE: BacklogScale = {
  small: 10_000,
  large: numberOption('pending', 1_000_000),
  windows: numberOption('windows', 12),
  warmUp: 3,
};

function describe(of: readonly number[]): string {
  return `${Math.round(median(of))} operations/s (${Math.round(Math.min(...of))}–${Math.round(Math.max(...of))})`;
}

async function main(database: MeasuringDatabase): Promise<void> {
  const { small, large, getOperationMs: times } = await measureBacklog(database, SCALE, say);
  say(`${SCALE.small} pending: ${describe(small)}`);
  say(`${SCALE.large} and more pending: ${describe(large)}`);
  const ratio = median(large) / median(small);
  judge(`${ratio.toFixed(2)} of the rate of a small queue, at least 0.9`, ratio >= 0.9);
  say(
    `getOperation while draining, ${times.length} requests: median ${median(times).toFixed(1)} ms, ` +
      `p99 ${quantile(times, 0.99).toFixed(1)} ms, longest ${Math.max(...times).toFixed(1)} ms`,
  );
  judge(`p99 of getOperation at most 20 ms`, quantile(times, 0.99) <= 20);
}

await withMeasuringDatabase('backlog', BACKLOG_DDL, main);
