import type { SeriesOption } from 'echarts';
import type { Series } from '../../contest/contest.js';
import { figure } from '../format.js';
import { CONTROL, INK, LIMIT, MUTED, SERVICE, SERVICE_PALE } from './palette.js';
import { BOTTOM, numberAxis, TOP, type Plot } from './plot.js';

const HEIGHT = 480;
const SHADES = [SERVICE, SERVICE_PALE, '#fbd3b0', '#c2410c'];

/** How long a chunk takes by the number of bad operations in it, a bar for each way of being bad. */
export function isolationPlot(series: Series | undefined): Plot | undefined {
  if (series === undefined) return undefined;
  const names = [...new Set(series.points.flatMap((point) => Object.keys(point)))].filter((key) => key !== 'bad');
  return {
    title: 'What bad operations cost their chunk',
    subtitle:
      'Median time from the claim of 1000 inserts to the commit; savepoint per row: the same rows, without claim and commit',
    height: HEIGHT,
    option: {
      grid: { left: 76, right: 40, top: TOP + 40, bottom: BOTTOM + 48 },
      legend: { top: TOP - 4, left: 24, itemGap: 22, textStyle: { color: INK, fontSize: 12 } },
      xAxis: {
        ...{ type: 'category', name: 'bad operations in 1000', nameLocation: 'middle', nameGap: 32 },
        data: series.points.map(({ bad }) => (bad === 0 ? 'none' : String(bad))),
        axisLine: { lineStyle: { color: CONTROL } },
        axisTick: { show: false },
        axisLabel: { color: INK, fontSize: 12 },
        nameTextStyle: { color: MUTED, fontSize: 11 },
      },
      yAxis: { ...numberAxis, type: 'value', name: 'ms', nameLocation: 'middle', nameGap: 48 },
      series: names.map((name, index): SeriesOption => {
        return {
          ...{ type: 'bar', name, barMaxWidth: 34, barGap: '12%' },
          itemStyle: {
            color: name === 'savepoint per row' ? LIMIT : SHADES[index % SHADES.length],
            borderRadius: [2, 2, 0, 0],
          },
          label: { show: true, position: 'top', color: MUTED, fontSize: 10, formatter: '{c}' },
          data: series.points.map((point) => {
            const value = point[name];
            return value === undefined ? '-' : { value, label: { formatter: figure(value) } };
          }),
        };
      }),
    },
  };
}
