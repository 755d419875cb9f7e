import { init, type EChartsOption, type TitleComponentOption } from 'echarts';
import type { BenchReport } from '../../contest/contest.js';
import { figure } from '../format.js';
import { FONT, INK, MUTED, PAPER, RULE } from './palette.js';

/** A picture of some figures of a run. */
export interface Plot {
  title: string;
  /** What is compared and how to read it, in a line. */
  subtitle: string;
  height: number;
  option: Pick<EChartsOption, 'grid' | 'xAxis' | 'yAxis' | 'series' | 'legend'>;
  captions?: Caption[];
}

interface Caption {
  text: string;
  left: number;
  top: number;
}

export const WIDTH = 960;
/** Left free for title and subtitle, and for the line about the run. */
export const TOP = 92;
export const BOTTOM = 56;
const MARGIN = 28;

/** The plot as SVG, with its own background so that it is legible on light and dark pages. */
export function renderPlot({ title, subtitle, height, option, captions = [] }: Plot, report: BenchReport): string {
  const chart = init(null, null, { renderer: 'svg', ssr: true, width: WIDTH, height });
  try {
    chart.setOption({
      animation: false,
      backgroundColor: PAPER,
      textStyle: { fontFamily: FONT, color: INK },
      ...option,
      title: [heading(title, subtitle), ...captions.map(caption), footer(aboutRun(report))],
    } satisfies EChartsOption);
    return `${chart.renderToSVGString()}\n`;
  } finally {
    chart.dispose();
  }
}

/** The look of an axis that carries numbers. */
export const numberAxis = {
  axisLine: { show: false },
  axisTick: { show: false },
  splitLine: { lineStyle: { color: RULE } },
  axisLabel: { color: MUTED, fontSize: 11, formatter: (value: number) => figure(value).replace(/\.0+$/, '') },
  nameTextStyle: { color: MUTED, fontSize: 11 },
} as const;

const heading = (text: string, subtext: string): TitleComponentOption => ({
  ...{ text, subtext, left: MARGIN, top: 20, padding: 0, itemGap: 8 },
  textStyle: { fontSize: 20, fontWeight: 700, fontFamily: FONT, color: INK },
  subtextStyle: { fontSize: 13, fontFamily: FONT, color: MUTED, width: WIDTH - 2 * MARGIN, overflow: 'break' },
});

const caption = ({ text, left, top }: Caption): TitleComponentOption => ({
  ...{ text, left, top, padding: 0 },
  textStyle: {
    ...{ fontSize: 13, fontWeight: 600, fontFamily: FONT, color: INK },
    ...{ width: WIDTH - left - MARGIN, overflow: 'truncate' },
  },
});

const footer = (text: string): TitleComponentOption => ({
  ...{ text, left: MARGIN, bottom: 12, padding: 0 },
  textStyle: {
    ...{ fontSize: 11, fontWeight: 400, fontFamily: FONT, color: MUTED, lineHeight: 15 },
    ...{ width: WIDTH - 2 * MARGIN, overflow: 'break' },
  },
});

function aboutRun({ machine, servers, startedAt, scale }: BenchReport): string {
  const software = [...servers.map(nameAndVersion), `Node ${machine.node.replace(/^v/, '')}`];
  const repetitions = scale.repetitions === 1 ? '1 repetition' : `${scale.repetitions} repetitions`;
  const about = [
    `${machine.cpus} × ${machine.model}, ${figure(machine.memoryGb)} GB`,
    ...software,
    startedAt.slice(0, 10),
    repetitions,
    ...(scale.quick ? ['a short run'] : []),
  ];
  return about.join(' · ');
}

/** Of how a server describes itself: not where it listens, nor its settings. */
const nameAndVersion = (server: string): string => server.split(/ on | at |[,;(:]/)[0]!.trim();
