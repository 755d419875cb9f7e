import type { EChartsOption, LineSeriesOption } from 'echarts';
import { INK } from './palette.js';
import { BOTTOM, numberAxis, TOP, type Plot } from './plot.js';

export interface Line {
  name: string;
  colour: string;
  dashed?: boolean;
  points: LinePoint[];
}

export interface LinePoint {
  x: number;
  y: number;
  /** Below the point, to the right: where rising lines leave room. */
  label?: string;
}

interface Axes {
  x: { unit: string; logarithmic?: boolean };
  y: { unit: string; logarithmic?: boolean };
}

const HEIGHT = 520;
const LEGEND = 34;
const AXIS = 48;
/** More points than this are a curve. */
const MANY = 40;

/** Lines over a common axis, with a legend above. */
export function linePlot(title: string, subtitle: string, axes: Axes, lines: readonly Line[]): Plot {
  return {
    ...{ title, subtitle, height: HEIGHT },
    option: {
      grid: { left: 76, right: 56, top: TOP + LEGEND, bottom: BOTTOM + AXIS },
      legend: {
        show: lines.length > 1,
        top: TOP - 6,
        left: 24,
        itemGap: 22,
        itemWidth: 28,
        textStyle: { color: INK, fontSize: 12 },
      },
      xAxis: axisOf(axes.x, 30),
      yAxis: axisOf(axes.y, 54),
      series: lines.map(seriesOf),
    },
  };
}

function axisOf({ unit, logarithmic = false }: Axes['x'], nameGap: number) {
  return {
    ...numberAxis,
    ...({ type: logarithmic ? 'log' : 'value', name: unit, nameLocation: 'middle', nameGap } as const),
  } satisfies EChartsOption['xAxis'];
}

function seriesOf({ name, colour, dashed, points }: Line): LineSeriesOption {
  return {
    ...{ type: 'line', name, showSymbol: true, symbol: 'circle', symbolSize: points.length > MANY ? 0 : 7 },
    lineStyle: { color: colour, width: 2.5, type: dashed === true ? 'dashed' : 'solid' },
    itemStyle: { color: colour },
    data: points.map(({ x, y, label }) => ({
      value: [x, y],
      label: {
        show: label !== undefined,
        formatter: label ?? '',
        position: 'right',
        offset: [2, 11],
        color: INK,
        fontSize: 12,
      },
    })),
  };
}
