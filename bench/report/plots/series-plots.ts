import type { Series } from '../../contest/contest.js';
import { figure } from '../format.js';
import { linePlot, type Line } from './lines.js';
import { CONTROL, LIMIT, SERVICE, SERVICE_PALE } from './palette.js';
import type { Plot } from './plot.js';

/** How long operations take, under more and more load. */
export function latencyPlot(series: Series | undefined): Plot | undefined {
  if (series === undefined) return undefined;
  const lines = [
    line(series, 'created → applied, p99', SERVICE, 'throughput', 'createdToAppliedP99'),
    { ...line(series, 'created → applied, p50', SERVICE_PALE, 'throughput', 'createdToAppliedP50'), dashed: true },
    line(series, 'applied → notified, p99', LIMIT, 'throughput', 'appliedToNotifiedP99'),
    { ...line(series, 'applied → notified, p50', CONTROL, 'throughput', 'appliedToNotifiedP50'), dashed: true },
  ];
  return linePlot(
    'Latency under load',
    'Single operations by RPC over RabbitMQ that keep coming at a fixed rate, answered or not; p99 and median',
    { x: { unit: 'operations/s applied' }, y: { unit: 'ms', logarithmic: true } },
    lines,
  );
}

/** What larger chunks gain, and what they cost. */
export function chunkSizePlot(series: Series | undefined): Plot | undefined {
  if (series === undefined) return undefined;
  const points = line(series, 'median chunk', SERVICE, 'rate', 'durationMs', ({ limit }) => figure(limit));
  return linePlot(
    'The size of chunks',
    'How long the median chunk takes against how fast a filled queue is applied, for each BATCH_PROCESS_OPERATION_LIMIT',
    { x: { unit: 'operations/s' }, y: { unit: 'ms a chunk', logarithmic: true } },
    [points],
  );
}

/** Memory over a long constant load. */
export function soakPlot(series: Series | undefined): Plot | undefined {
  if (series === undefined) return undefined;
  return linePlot(
    'Memory under constant load',
    'Resident set of each process',
    { x: { unit: 'minutes' }, y: { unit: 'MB' } },
    [line(series, 'worker', SERVICE, 'minutes', 'workerMb'), line(series, 'api', LIMIT, 'minutes', 'apiMb')],
  );
}

type Point = Series['points'][number];

/** @throws if a point has no such value, because a plot without some of its points would mislead */
function line(
  { name: series, points }: Series,
  name: string,
  colour: string,
  x: string,
  y: string,
  label?: (point: Point) => string,
): Line {
  const value = (point: Point, key: string): number => {
    const found = point[key];
    if (found === undefined) throw new Error(`A point of the series ${series} has no ${key}`);
    return found;
  };
  return {
    ...{ name, colour },
    points: points.map((point) => ({ x: value(point, x), y: value(point, y), label: label?.(point) })),
  };
}
