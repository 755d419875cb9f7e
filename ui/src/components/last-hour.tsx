import type { IStatsHistory, IStatsPoint } from '../../../src/interfaces/stats.js';
import type { JSX } from 'preact';
import { Empty } from './basics.js';
import { count, duration, rate } from './format.js';
import { Plot, type Series } from './plot.js';

const MINUTE_MS = 60_000;
const CODE_COLORS = ['--plot-3', '--plot-1', '--plot-4'];

/** What happened in the last hour: a plot of each number, with its last values in a table. */
export function LastHour({ history: { points, intervalMs } }: { history: IStatsHistory }): JSX.Element {
  if (points.length === 0) {
    return (
      <Empty title="Nothing was recorded yet.">
        The first values come within a minute after the service has started.
      </Empty>
    );
  }
  const times = points.map(({ at }) => Date.parse(at));
  const of = (value: (point: IStatsPoint) => number | null | undefined): (number | null)[] =>
    points.map((point) => value(point) ?? null);
  const perSecond = (value: number): number => value / (intervalMs / 1000);
  return (
    <div class="plots">
      <Plot
        title="Operations per second"
        times={times}
        format={rate}
        series={[
          {
            name: 'in',
            color: '--plot-1',
            values: of(({ accepted }) => (accepted === undefined ? null : perSecond(accepted))),
          },
          { name: 'out', color: '--plot-2', values: of(({ completed }) => perSecond(completed)) },
          { name: 'failed', color: '--plot-3', values: of(({ failed }) => perSecond(failed)) },
        ]}
      />
      <Plot
        title="Failures per minute, by code"
        times={times}
        format={rate}
        series={failuresByCode(points, intervalMs)}
      />
      <Plot
        title="Pending"
        times={times}
        format={count}
        series={[{ name: 'pending', color: '--plot-1', values: of(({ pending }) => pending) }]}
      />
      <Plot
        title="Age of the oldest"
        times={times}
        format={duration}
        series={[{ name: 'oldest', color: '--plot-4', values: of(({ lagMs }) => lagMs) }]}
      />
      <Plot
        title="Time of a chunk"
        times={times}
        format={duration}
        series={[
          { name: 'p50', color: '--plot-1', values: of(({ chunkP50Ms }) => chunkP50Ms) },
          { name: 'p99', color: '--plot-4', values: of(({ chunkP99Ms }) => chunkP99Ms) },
        ]}
      />
    </div>
  );
}

/** The codes that failed most in the hour have a line each; all others are one line. */
function failuresByCode(points: readonly IStatsPoint[], intervalMs: number): Series[] {
  const totals = new Map<string, number>();
  for (const { failedByCode = {} } of points)
    for (const [code, failed] of Object.entries(failedByCode)) totals.set(code, (totals.get(code) ?? 0) + failed);
  totals.delete('other');
  const codes = [...totals].sort(([, a], [, b]) => b - a).map(([code]) => code);
  const shown = codes.slice(0, CODE_COLORS.length);
  const perMinute = (failed: number): number => (failed * MINUTE_MS) / intervalMs;
  const lines = shown.map((code, index) => ({
    name: code,
    color: CODE_COLORS[index]!,
    values: points.map(({ failedByCode }) => perMinute(failedByCode?.[code] ?? 0)),
  }));
  const rest = points.map(({ failed, failedByCode }) =>
    perMinute(shown.reduce((sum, code) => sum - (failedByCode?.[code] ?? 0), failed)),
  );
  return lines.length > 0 && rest.every((value) => value === 0)
    ? lines
    : [...lines, { name: lines.length === 0 ? 'all' : 'other codes', color: '--plot-2', values: rest }];
}
