import type { BenchReport, FigureResult, RaceResult, Series } from '../../contest/contest.js';
import { costPlot } from './cost-plot.js';
import { isolationPlot } from './isolation-plot.js';
import { chunkSizePlot, latencyPlot, soakPlot } from './series-plots.js';
import { renderPlot, type Plot } from './plot.js';
import { throughputPlot } from './throughput-plot.js';

/** The plots of what a run has measured, by the names of their files. */
export function plotReport(report: BenchReport): Map<string, string> {
  const { figures } = report;
  const plots: [string, Plot | undefined][] = [
    ['apply.svg', throughputPlot('Applying what waits', races(figures, ['apply', 'mixed']))],
    [
      'messy.svg',
      throughputPlot('Data as people have it', races(figures, ['messy-2', 'messy-12', 'messy-1ms', 'messy-10ms'])),
    ],
    ['cost.svg', costPlot(races(figures, ['apply'])[0])],
    [
      'enqueue.svg',
      throughputPlot('Taking operations in', races(figures, ['enqueue', 'enqueue-single', 'enqueue-single-256'])),
    ],
    ['end-to-end.svg', throughputPlot('Taken in and applied, both at once', races(figures, ['end-to-end']))],
    ['latency.svg', latencyPlot(seriesOf(figures, 'latency'))],
    ['chunk-size.svg', chunkSizePlot(seriesOf(figures, 'chunk size'))],
    ['isolation.svg', isolationPlot(seriesOf(figures, 'isolation'))],
    ['soak.svg', soakPlot(seriesOf(figures, 'soak'))],
  ];
  return new Map(plots.flatMap(([file, plot]) => (plot === undefined ? [] : [[file, renderPlot(plot, report)]])));
}

/** Those that were run, in the order of their names here. */
const races = (figures: readonly FigureResult[], names: readonly string[]): RaceResult[] =>
  names.flatMap((name) =>
    figures.filter((result): result is RaceResult => result.kind === 'race' && result.name === name),
  );

const seriesOf = (figures: readonly FigureResult[], name: string): Series | undefined =>
  figures
    .flatMap((result) => (result.kind === 'study' ? (result.series ?? []) : []))
    .find((series) => series.name === name && series.points.length > 0);
