import type { SeriesOption } from 'echarts';
import { CONTROL, FONT, INK, MUTED } from './palette.js';
import { BOTTOM, numberAxis, TOP, WIDTH, type Plot } from './plot.js';

/** Horizontal bars with one unit. */
export interface Panel {
  caption: string;
  unit: string;
  bars: Bar[];
}

export interface Bar {
  name: string;
  colour: string;
  /** Undefined where it was not measured. */
  value: number | undefined;
  /** The range of the whisker. None if it is almost a point. */
  low: number;
  high: number;
  /** Behind the bar. */
  label: string;
}

const ROW = 30;
const CAPTION = 24;
const GAP = 26;
const AXIS = 36;
const NAMES = 216;
const LABELS = 184;

/** One panel below the other, each with an axis of its own. */
export function stacked(title: string, subtitle: string, panels: readonly Panel[]): Plot {
  const places: Place[] = [];
  let top = TOP;
  for (const panel of panels) {
    places.push({ panel, left: NAMES, top: top + CAPTION, width: WIDTH - NAMES - LABELS, names: true, ticks: 4 });
    top += CAPTION + panel.bars.length * ROW + AXIS + GAP;
  }
  const captions = places.map(({ panel, top: gridTop }) => ({ text: panel.caption, left: 28, top: gridTop - CAPTION }));
  return { title, subtitle, captions, height: top - GAP + BOTTOM, option: optionOf(places) };
}

/** Panels beside one another, with the same bars in each. Only the first has the names. */
export function sideBySide(title: string, subtitle: string, panels: readonly Panel[]): Plot {
  const rows = Math.max(...panels.map(({ bars }) => bars.length));
  const each = (WIDTH - NAMES - 24) / panels.length;
  const places = panels.map((panel, index) => {
    return { panel, left: NAMES + index * each, top: TOP + CAPTION, width: each - 80, names: index === 0, ticks: 2 };
  });
  const captions = places.map(({ panel, left }) => ({ text: panel.caption, left, top: TOP }));
  return {
    ...{ title, subtitle, captions },
    height: TOP + CAPTION + rows * ROW + AXIS + BOTTOM,
    option: optionOf(places),
  };
}

interface Place {
  panel: Panel;
  left: number;
  top: number;
  width: number;
  names: boolean;
  /** About how many numbers the axis has. */
  ticks: number;
}

function optionOf(places: readonly Place[]): Plot['option'] {
  return {
    grid: places.map(({ panel, left, top, width }) => ({ left, top, width, height: panel.bars.length * ROW })),
    xAxis: places.map(({ panel, ticks }, gridIndex) => ({
      ...numberAxis,
      ...{ type: 'value', gridIndex, splitNumber: ticks, name: panel.unit, nameLocation: 'middle', nameGap: 26 },
    })),
    yAxis: places.map(({ panel, names }, gridIndex) => ({
      ...{ type: 'category', gridIndex, inverse: true, data: panel.bars.map(({ name }) => name) },
      axisLine: { show: true, lineStyle: { color: CONTROL } },
      axisTick: { show: false },
      axisLabel: { show: names, interval: 0, color: INK, fontSize: 13 },
    })),
    series: places.flatMap(({ panel }, index) => [barsOf(panel, index), whiskersOf(panel, index)]),
  };
}

function barsOf({ bars }: Panel, index: number): SeriesOption {
  return {
    ...{ type: 'bar', xAxisIndex: index, yAxisIndex: index, barWidth: 17 },
    data: bars.map(({ value, colour }) => ({
      value: value ?? 0,
      itemStyle: { color: colour, borderRadius: [0, 2, 2, 0] },
    })),
  };
}

/** The label stands behind the whisker, so that neither hides the other. */
function whiskersOf({ bars }: Panel, index: number): SeriesOption {
  return {
    ...{ type: 'custom', xAxisIndex: index, yAxisIndex: index, clip: false, z: 5, silent: true },
    encode: { x: [0, 1], y: 2 },
    data: bars.map(({ low, high }, row) => [low, high, row]),
    renderItem: (_, api) => {
      const row = Number(api.value(2));
      const [from = 0, y = 0] = api.coord([api.value(0), row]);
      const [to = 0] = api.coord([api.value(1), row]);
      const line = (x1: number, y1: number, x2: number, y2: number) =>
        ({ type: 'line', shape: { x1, y1, x2, y2 }, style: { stroke: INK, lineWidth: 1.2 } }) as const;
      const whisker =
        to - from < 2 ? [] : [line(from, y, to, y), line(from, y - 4, from, y + 4), line(to, y - 4, to, y + 4)];
      return {
        type: 'group',
        children: [
          ...whisker,
          {
            type: 'text',
            style: {
              ...{ text: bars[row]!.label, x: to + 8, y, verticalAlign: 'middle' },
              ...{ fill: bars[row]!.value === undefined ? MUTED : INK, fontSize: 12, fontFamily: FONT },
            },
          },
        ],
      };
    },
  };
}
